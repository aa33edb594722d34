with

features as (
    select * from {{ ref('household_features') }}
    where count_baskets_56d > 0
),

baskets as (
    select * from {{ ref('int_baskets_aggregated') }}
),

labels as (
    select
        examples.household_id,
        examples.as_of_date,
        {{ label_within('cast(coalesce(sum(events.sales_value), 0) as double)') }} as sales_value_next_56_days
    from {{ events_within('features', 'baskets', entity='household_id', event_time='purchased_at') }}
    group by examples.household_id, examples.as_of_date
)

select
    features.*,
    labels.sales_value_next_56_days
from features
inner join labels on features.household_id = labels.household_id and features.as_of_date = labels.as_of_date
