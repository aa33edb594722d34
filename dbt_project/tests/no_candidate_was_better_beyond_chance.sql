{{ config(meta={'dagster': {'ref': {'name': 'leaderboard'}}}) }}

-- No other candidate may have done better than the challenger beyond chance, in the folds before the holdout.
-- A relative difference below a millionth is rounding, to Python as well.
select
    leaderboard.prediction,
    leaderboard.version,
    choices.candidate,
    choices.effect,
    choices.effect_low
from {{ ref('leaderboard') }} as leaderboard
inner join {{ source('records', 'choices') }} as choices
    on
        leaderboard.prediction = choices.prediction
        and leaderboard.version = choices.version
where
    leaderboard.is_competition_metric
    and leaderboard.is_challenger
    and choices.effect_low > 1e-6
