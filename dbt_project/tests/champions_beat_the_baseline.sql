{{ config(meta={'dagster': {'ref': {'name': 'model_versions'}}}) }}

-- The gate lets nothing through that is no better than guessing, by the metric that decides.
with

let_through as (
    select
        versions.prediction,
        versions.version,
        case
            when promotions.greater_is_better then promotions.challenger_value > promotions.baseline_value
            else promotions.challenger_value < promotions.baseline_value
        end as is_better
    from {{ ref('model_versions') }} as versions
    inner join {{ source('records', 'promotions') }} as promotions
        on
            versions.prediction = promotions.prediction
            and versions.version = promotions.version
    where promotions.outcome in ('promoted', 'waits')
)

select
    prediction,
    version
from let_through
where not coalesce(is_better, false)
