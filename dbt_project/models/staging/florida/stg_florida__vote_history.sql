-- Only what was counted is a vote: by mail, early, at the polls.
select
    'FL-' || trim(voterid) as voter_id,
    date as election_date,
    max({{ tidied('county') }}) as county
from {{ source('florida', 'vote_history') }}
where vote_type in ('A', 'E', 'Y')
group by voterid, date
