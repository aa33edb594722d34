-- A few votes are no history: a county counts only if so many of its voters took part as ever do.
with

votes as (
    select
        state,
        county,
        election_date,
        count(*) as count_voted
    from {{ ref('int_vote_history_unioned') }}
    group by state, county, election_date
),

registered as (
    select
        voters.state,
        voters.county,
        elections.election_date,
        count(*) as count_registered
    from {{ ref('int_voters_unioned') }} as voters
    inner join {{ ref('int_elections_dated') }} as elections on voters.state = elections.state
    where voters.status in ('active', 'inactive') and voters.registered_on <= elections.election_date
    group by voters.state, voters.county, elections.election_date
)

select
    votes.state,
    votes.county,
    votes.election_date,
    elections.as_of_date,
    elections.election_kind
from votes
inner join {{ ref('int_elections_dated') }} as elections
    on votes.state = elections.state and votes.election_date = elections.election_date
left join registered
    on
        votes.state = registered.state
        and votes.county = registered.county
        and votes.election_date = registered.election_date
where votes.count_voted >= {{ var('least_turnout_reported') }} * coalesce(registered.count_registered, 0)
