with

features as (
    select * from {{ ref('household_features') }}
    where count_baskets_56d > 0
),

purchases as (
    select * from {{ ref('int_baskets_aggregated') }}
    where is_purchase
),

data as (
    select max(purchased_at) as ends_at from {{ ref('int_baskets_aggregated') }}
),

next_28_days as (
    select
        features.household_id,
        features.as_of_date,
        count(purchases.basket_id) as count_purchases
    from features
    left join purchases
        on
            features.household_id = purchases.household_id
            and features.as_of_date <= purchases.purchased_at
            and features.as_of_date + interval '28' day > purchases.purchased_at
    group by features.household_id, features.as_of_date
)

select
    features.*,
    case
        when features.as_of_date + interval '28' day > data.ends_at then null
        when next_28_days.count_purchases = 0 then 1
        else 0
    end as has_lapsed
from features
inner join next_28_days
    on
        features.household_id = next_28_days.household_id
        and features.as_of_date = next_28_days.as_of_date
cross join data
