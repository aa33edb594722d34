with

outcomes as (
    select * from {{ source('records', 'outcomes') }}
),

versions as (
    select * from {{ source('records', 'model_versions') }}
),

champions as (
    select
        prediction,
        max_by(version, number) as version
    from {{ source('records', 'champions') }}
    where prediction in ({{ declared_predictions() }})
    group by prediction
)

select
    outcomes.prediction,
    outcomes.version,
    versions.candidate,
    outcomes.basis,
    outcomes.as_of_date,
    outcomes.is_treated,
    outcomes.score_band,
    outcomes.example_count,
    outcomes.expected,
    outcomes.realised,
    outcomes.realised_stddev,
    champions.version is not null as is_champion
from outcomes
left join versions
    on
        outcomes.prediction = versions.prediction
        and outcomes.version = versions.version
left join champions
    on
        outcomes.prediction = champions.prediction
        and outcomes.version = champions.version
