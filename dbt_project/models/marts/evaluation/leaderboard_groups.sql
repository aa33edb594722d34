with

groups as (
    select * from {{ source('records', 'evaluations') }}
    where group_column <> ''
),

challengers as (
    select * from {{ ref('leaderboard') }}
    where is_challenger
),

left_out as (
    select
        *,
        replace(candidate, ', left out', '') as learned_candidate
    from groups
    where candidate like '%, left out'
)

select
    groups.prediction,
    groups.version,
    groups.group_column,
    groups.group_value,
    groups.metric,
    groups.value,
    groups.low,
    groups.high,
    challengers.value as value_for_all,
    left_out.value as value_left_out,
    left_out.low as low_left_out,
    left_out.high as high_left_out,
    groups.example_count,
    groups.entity_count,
    challengers.is_champion
from groups
inner join challengers
    on
        groups.prediction = challengers.prediction
        and groups.version = challengers.version
        and groups.candidate = challengers.candidate
        and groups.metric = challengers.metric
left join left_out
    on
        groups.prediction = left_out.prediction
        and groups.version = left_out.version
        and groups.candidate = left_out.learned_candidate
        and groups.group_column = left_out.group_column
        and groups.group_value = left_out.group_value
        and groups.metric = left_out.metric
