{{ config(severity='warn') }}

-- Of the respondents whose voter is known, linking finds at least nine tenths, once there are links.
select
    sum(count_known_found) as count_known_found,
    sum(count_with_registered_id) as count_with_registered_id
from {{ ref('poll_match_quality') }}
having
    sum(count_known_found) < 0.9 * sum(count_with_registered_id)
    and sum(count_known_found + count_known_mistaken) > 0
