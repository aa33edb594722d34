select
    'WA-' || trim(statevoterid) as voter_id,
    electiondate as election_date,
    max({{ tidied('countycode') }}) as county
from {{ source('washington', 'vote_history') }}
group by statevoterid, electiondate
