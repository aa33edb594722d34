-- Of the respondents whose voter is known, linking may take hardly one for somebody else. Waves are small, so they are
-- judged together. What is linked beside them is as good as that, and no better.
select
    sum(count_known_found) as count_known_found,
    sum(count_known_mistaken) as count_known_mistaken
from {{ ref('poll_match_quality') }}
having sum(count_known_found) < 0.95 * sum(count_known_found + count_known_mistaken)
