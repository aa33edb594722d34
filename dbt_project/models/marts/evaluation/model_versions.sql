with

versions as (
    select * from {{ source('records', 'model_versions') }}
),

promotions as (
    select * from {{ source('records', 'promotions') }}
),

champions as (
    select
        prediction,
        max(version) as version
    from promotions
    where is_promoted
    group by prediction
)

select
    versions.prediction,
    versions.version,
    versions.candidate,
    versions.trained_at,
    versions.first_as_of_date,
    versions.last_as_of_date,
    versions.example_count,
    versions.holdout_first_as_of_date,
    versions.holdout_last_as_of_date,
    promotions.metric as competition_metric,
    promotions.challenger_value,
    promotions.baseline_value,
    promotions.champion_version as previous_champion_version,
    promotions.champion_value as previous_champion_value,
    coalesce(promotions.is_promoted, false) as was_promoted,
    champions.version is not null as is_champion,
    promotions.reason,
    versions.code_version,
    versions.data_fingerprint
from versions
left join promotions
    on
        versions.prediction = promotions.prediction
        and versions.version = promotions.version
left join champions
    on
        versions.prediction = champions.prediction
        and versions.version = champions.version
