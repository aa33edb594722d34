with

features as (
    select * from {{ ref('household_features') }}
    where count_baskets_56d > 0
),

baskets as (
    select * from {{ ref('int_baskets_aggregated') }}
),

data as (
    select max(purchased_at) as ends_at from baskets
),

next_56_days as (
    select
        features.household_id,
        features.as_of_date,
        coalesce(sum(baskets.sales_value), 0) as sales_value
    from features
    left join baskets
        on
            features.household_id = baskets.household_id
            and features.as_of_date <= baskets.purchased_at
            and features.as_of_date + interval '56' day > baskets.purchased_at
    group by features.household_id, features.as_of_date
)

select
    features.*,
    case
        when features.as_of_date + interval '56' day <= data.ends_at then cast(next_56_days.sales_value as double)
    end as sales_value_next_56_days
from features
inner join next_56_days
    on
        features.household_id = next_56_days.household_id
        and features.as_of_date = next_56_days.as_of_date
cross join data
