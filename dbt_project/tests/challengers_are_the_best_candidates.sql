{{ config(meta={'dagster': {'ref': {'name': 'leaderboard'}}}) }}

-- No other candidate but the baseline may have done better than the challenger in the folds before the holdout, by the
-- metric that decides. A relative difference below a millionth is rounding, to Python as well.
with

chosen_from as (
    select
        leaderboard.*,
        case
            when promotions.greater_is_better then -leaderboard.validation_value
            else leaderboard.validation_value
        end as validation_loss
    from {{ ref('leaderboard') }} as leaderboard
    inner join {{ source('records', 'promotions') }} as promotions
        on
            leaderboard.prediction = promotions.prediction
            and leaderboard.version = promotions.version
    where leaderboard.is_competition_metric and leaderboard.candidate <> 'baseline'
)

select
    others.prediction,
    others.version,
    others.candidate
from chosen_from as others
inner join chosen_from as challengers
    on
        others.prediction = challengers.prediction
        and others.version = challengers.version
where
    challengers.is_challenger
    and others.validation_loss < challengers.validation_loss - 1e-6 * abs(challengers.validation_loss)
