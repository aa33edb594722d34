with

features as (
    select * from {{ ref('household_features') }}
),

demographics as (
    select * from {{ ref('stg_complete_journey__demographics') }}
),

lapse_scores as (
    select * from {{ source('scores', 'household_lapse') }}
),

spend_scores as (
    select * from {{ source('scores', 'household_spend') }}
),

scored_by_both as (
    select as_of_date from lapse_scores
    intersect
    select as_of_date from spend_scores
    intersect
    select as_of_date from features
),

-- One date for the whole mart, so that all its columns fit each other: the latest for which both predictions are
-- scored, else the latest there is.
latest as (
    select
        coalesce(
            (select max(as_of_date) from scored_by_both),
            (select max(as_of_date) from features)
        ) as as_of_date
),

joined as (
    select
        features.household_id,
        features.as_of_date,
        lapse_scores.score as lapse_probability,
        case when spend_scores.score < 0 then 0 else spend_scores.score end as expected_sales_value_next_56_days,
        lapse_scores.reason_1 as lapse_reason_1,
        lapse_scores.reason_2 as lapse_reason_2,
        lapse_scores.reason_3 as lapse_reason_3,
        case
            when lapse_scores.household_id is not null then coalesce(lapse_scores.is_treated, true)
        end as lapse_is_treated,
        case
            when spend_scores.household_id is not null then coalesce(spend_scores.is_treated, true)
        end as spend_is_treated,
        spend_scores.reason_1 as spend_reason_1,
        spend_scores.reason_2 as spend_reason_2,
        spend_scores.reason_3 as spend_reason_3,
        {{ dbt.dateadd('day', '-features.days_since_last_purchase', 'features.as_of_date') }} as last_purchased_on,
        features.days_since_last_purchase,
        features.count_baskets_56d > 0 as is_active,
        features.count_baskets_56d,
        features.sales_value_56d,
        features.top_department_56d,
        demographics.household_id is not null as has_demographics,
        features.age_band,
        coalesce(demographics.income_band, 'unknown') as income_band,
        coalesce(demographics.household_size_band, 'unknown') as household_size_band,
        coalesce(demographics.kids_band, 'unknown') as kids_band,
        coalesce(demographics.home_ownership, 'unknown') as home_ownership,
        lapse_scores.model_version as lapse_model_version,
        spend_scores.model_version as spend_model_version
    from features
    inner join latest on features.as_of_date = latest.as_of_date
    left join demographics on features.household_id = demographics.household_id
    left join lapse_scores
        on
            features.household_id = lapse_scores.household_id
            and features.as_of_date = lapse_scores.as_of_date
    left join spend_scores
        on
            features.household_id = spend_scores.household_id
            and features.as_of_date = spend_scores.as_of_date
),

valued as (
    select
        *,
        lapse_probability * expected_sales_value_next_56_days as sales_value_at_risk,
        case
            when not is_active then 'inactive'
            when lapse_probability is null then 'not scored'
            when lapse_probability >= 0.5 then 'high'
            when lapse_probability >= 0.2 then 'medium'
            else 'low'
        end as lapse_risk
    from joined
)

select
    household_id,
    cast(as_of_date as date) as as_of_date,
    is_active,
    lapse_probability,
    lapse_risk,
    lapse_reason_1,
    lapse_reason_2,
    lapse_reason_3,
    lapse_is_treated,
    expected_sales_value_next_56_days,
    spend_reason_1,
    spend_reason_2,
    spend_reason_3,
    spend_is_treated,
    sales_value_at_risk,
    case
        when sales_value_at_risk is not null
            then cast(row_number() over (order by sales_value_at_risk desc nulls last, household_id asc) as int)
    end as sales_value_at_risk_rank,
    cast(last_purchased_on as date) as last_purchased_on,
    days_since_last_purchase,
    count_baskets_56d,
    sales_value_56d,
    top_department_56d,
    has_demographics,
    age_band,
    income_band,
    household_size_band,
    kids_band,
    home_ownership,
    lapse_model_version,
    spend_model_version
from valued
