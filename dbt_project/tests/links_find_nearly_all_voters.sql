{{ config(severity='warn') }}

-- Of the respondents whose voter is known, linking finds at least nine tenths. Until there are links, it finds none.
select
    sum(count_known_found) as count_known_found,
    sum(count_with_registered_id) as count_with_registered_id
from {{ ref('poll_match_quality') }}
having sum(count_known_found) < 0.9 * sum(count_with_registered_id)
