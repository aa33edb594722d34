-- No other candidate but the baseline may stand before the challenger in the metric that decides.
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
