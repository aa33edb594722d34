-- A prediction has at most one champion, and exactly one once any version was promoted.
select prediction
from {{ ref('model_versions') }}
group by prediction
having
    count(case when is_champion then 1 end) <> max(case when was_promoted then 1 else 0 end)
