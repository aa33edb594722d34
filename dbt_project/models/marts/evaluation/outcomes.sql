with

outcomes as (
    select * from {{ source('records', 'outcomes') }}
),

versions as (
    select * from {{ ref('model_versions') }}
)

select
    outcomes.prediction,
    outcomes.version,
    outcomes.basis,
    outcomes.as_of_date,
    outcomes.is_released,
    outcomes.score_band,
    outcomes.example_count,
    outcomes.expected,
    outcomes.realised,
    outcomes.realised_stddev,
    coalesce(versions.is_champion, false) as is_champion
from outcomes
left join versions
    on
        outcomes.prediction = versions.prediction
        and outcomes.version = versions.version
