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
        max_by(version, number) as version,
        max_by(since, number) as since
    from {{ source('records', 'champions') }}
    -- What is declared no more has no champion: nobody scores with it.
    where prediction in ({{ declared_predictions() }})
    group by prediction
),

-- How it became champion the last time, by the gate or by a person.
crowned as (
    select
        prediction,
        version,
        max_by(how, number) as how,
        max_by(name, number) as person,
        max_by(reason, number) as reason
    from {{ source('records', 'champions') }}
    group by prediction, version
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
    promotions.outcome,
    promotions.effect,
    promotions.effect_low,
    promotions.effect_high,
    promotions.minimum_effect,
    crowned.version is not null as was_promoted,
    champions.version is not null as is_champion,
    champions.since as champion_since,
    crowned.how as champion_how,
    crowned.person as champion_by,
    case when crowned.how <> 'promoted' then crowned.reason end as champion_because,
    promotions.reason,
    versions.chosen_in,
    versions.parameters,
    versions.fit_seconds,
    versions.prediction_seconds,
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
left join crowned
    on
        versions.prediction = crowned.prediction
        and versions.version = crowned.version
