select
    voters.state,
    voters.county,
    coalesce(voters.precinct, 'unknown') as precinct,
    votes.election_date,
    votes.election_kind,
    cast(count(*) as int) as count_registered,
    cast(sum(votes.has_voted) as int) as count_voted
from {{ ref('int_votes_accumulated') }} as votes
inner join {{ ref('int_voters_unioned') }} as voters on votes.voter_id = voters.voter_id
where votes.election_kind <> 'primary'
group by
    voters.state,
    voters.county,
    coalesce(voters.precinct, 'unknown'),
    votes.election_date,
    votes.election_kind
