with

features as (
    select * from {{ ref('household_features') }}
    where count_baskets_56d > 0
),

baskets as (
    select * from {{ ref('int_baskets_aggregated') }}
),

purchases as (
    select * from baskets
    where is_purchase
),

labels as (
    select
        examples.household_id,
        examples.as_of_date,
        {{ label_within('case when count(events.event_at) = 0 then 1 else 0 end') }} as has_lapsed
    from {{ events_within(
        'features', 'purchases', entity='household_id', event_time='purchased_at', reach='baskets'
    ) }}
    group by examples.household_id, examples.as_of_date
)

select
    features.*,
    labels.has_lapsed
from features
inner join labels on features.household_id = labels.household_id and features.as_of_date = labels.as_of_date
