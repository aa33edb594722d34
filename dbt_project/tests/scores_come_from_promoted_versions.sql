{{ config(meta={'dagster': {'ref': {'name': 'households'}}}) }}

-- Every published score can be traced to a model version that was champion.
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
where
    published.version is not null
    and not exists (
        select 1
        from {{ source('records', 'champions') }} as champions
        where
            published.prediction = champions.prediction
            and published.version = champions.version
    )
