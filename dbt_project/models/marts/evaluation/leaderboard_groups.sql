with

groups as (
    select * from {{ source('records', 'evaluations') }}
    where group_column <> ''
),

challengers as (
    select * from {{ ref('leaderboard') }}
    where is_challenger
),

unseen as (
    select
        *,
        replace(candidate, ', unseen group', '') as learned_candidate
    from groups
    where candidate like '%, unseen group'
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
    unseen.value as value_unseen,
    unseen.low as low_unseen,
    unseen.high as high_unseen,
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
left join unseen
    on
        groups.prediction = unseen.prediction
        and groups.version = unseen.version
        and groups.candidate = unseen.learned_candidate
        and groups.group_column = unseen.group_column
        and groups.group_value = unseen.group_value
        and groups.metric = unseen.metric
