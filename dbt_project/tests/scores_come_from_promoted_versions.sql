{{ config(meta={'dagster': {'ref': {'name': 'households'}}}) }}

-- Every published score can be traced to a model version that had been promoted.
with

published as (
    select
        'household_lapse' as prediction,
        lapse_model_version as version
    from {{ ref('households') }}
    union
    select
        'household_spend' as prediction,
        spend_model_version as version
    from {{ ref('households') }}
)

select
    published.prediction,
    published.version
from published
left join {{ source('records', 'promotions') }} as promotions
    on
        published.prediction = promotions.prediction
        and published.version = promotions.version
where
    published.version is not null
    and coalesce(promotions.is_promoted, false) = false
