with

evaluations as (
    select
        *,
        -- What a candidate wants to be small: an error, a figure of merit turned round, or the size of a bias.
        case when greater_is_better then -value else abs(value) end as loss
    from {{ source('records', 'evaluations') }}
    where group_column = ''
),

validations as (
    select
        prediction,
        version,
        candidate,
        metric,
        avg(value) as validation_value
    from {{ source('records', 'validations') }}
    group by prediction, version, candidate, metric
),

versions as (
    select * from {{ ref('model_versions') }}
),

ranked as (
    select
        *,
        max(case when candidate = 'baseline' then value end) over (
            partition by prediction, version, metric
        ) as baseline_value,
        max(case when candidate = 'baseline' then low end) over (
            partition by prediction, version, metric
        ) as baseline_low,
        max(case when candidate = 'baseline' then high end) over (
            partition by prediction, version, metric
        ) as baseline_high,
        case
            when loss is not null
                then rank() over (partition by prediction, version, metric order by loss nulls last)
        end as place
    from evaluations
)

select
    ranked.prediction,
    ranked.version,
    ranked.candidate,
    ranked.metric,
    ranked.value,
    ranked.low,
    ranked.high,
    ranked.baseline_value,
    ranked.baseline_low,
    ranked.baseline_high,
    validations.validation_value,
    cast(ranked.place as int) as place,
    coalesce(ranked.metric = versions.competition_metric, false) as is_competition_metric,
    ranked.candidate = versions.candidate as is_challenger,
    ranked.candidate = versions.candidate and versions.was_promoted as was_promoted,
    ranked.candidate = versions.candidate and versions.is_champion as is_champion,
    ranked.example_count,
    versions.trained_at,
    versions.holdout_first_as_of_date,
    versions.holdout_last_as_of_date
from ranked
inner join versions
    on
        ranked.prediction = versions.prediction
        and ranked.version = versions.version
left join validations
    on
        ranked.prediction = validations.prediction
        and ranked.version = validations.version
        and replace(ranked.candidate, ' recalibrated', '') = validations.candidate
        and ranked.metric = validations.metric
