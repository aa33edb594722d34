with

groups as (
    select * from {{ source('records', 'evaluations') }}
    where group_column <> ''
),

challengers as (
    select * from {{ ref('leaderboard') }}
    where is_challenger
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
