-- No other candidate but the baseline may have done better than the challenger in the folds before the holdout, by the
-- metric that decides. A relative difference below a millionth is rounding, to Python as well.
with

chosen_from as (
    select
        *,
        case
            when metric in ('roc_auc', 'average_precision', 'correlation') then -validation_value
            else validation_value
        end as validation_loss
    from {{ ref('leaderboard') }}
    where is_competition_metric and candidate <> 'baseline'
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
