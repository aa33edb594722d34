with

orders as (
    select * from {{ source('shop', 'orders') }}
),

-- The Monday after each week with orders: that there is such a date must not follow from what happens on it.
as_of_dates as (
    select distinct cast(date_trunc('week', ordered_at) + interval '7' day as date) as as_of_date
    from orders
),

features as (
    select
        orders.customer_id,
        as_of_dates.as_of_date,
        count(case when ordered_at >= as_of_date - interval '28' day then 1 end) as orders_28d,
        sum(amount) as amount_ever,
        case when orders.customer_id % 2 = 0 then 'even' else 'odd' end as parity,
        case when orders.customer_id % 4 = 0 then 'north' else 'south' end as region
    from as_of_dates
    inner join orders on orders.ordered_at < as_of_dates.as_of_date
    group by orders.customer_id, as_of_dates.as_of_date
),

future as (
    select
        features.customer_id,
        features.as_of_date,
        count(orders.order_id) as orders_next_14d
    from features
    left join orders
        on
            features.customer_id = orders.customer_id
            and orders.ordered_at >= features.as_of_date
            and orders.ordered_at < features.as_of_date + interval '14' day
    group by features.customer_id, features.as_of_date
)

select
    features.*,
    case
        when features.as_of_date + interval '14' day <= (select max(ordered_at) from orders)
            then cast(future.orders_next_14d > 0 as integer)
    end as has_returned
from features
inner join future
    on features.customer_id = future.customer_id and features.as_of_date = future.as_of_date
