-- No other candidate but the baseline may stand before the challenger in the metric that decides. A relative difference
-- below a millionth is rounding, to Python as well.
select
    others.prediction,
    others.version,
    others.candidate
from {{ ref('leaderboard') }} as others
inner join {{ ref('leaderboard') }} as challengers
    on
        others.prediction = challengers.prediction
        and others.version = challengers.version
        and others.metric = challengers.metric
where
    challengers.is_challenger
    and challengers.is_competition_metric
    and others.candidate <> 'baseline'
    and others.place < challengers.place
    and abs(others.value - challengers.value) > 1e-6 * abs(challengers.value)
