-- Registered before the as-of date, or known to have been: who has registered anew since has voted before.
with

voters as (
    select * from {{ ref('int_voters_unioned') }}
    where status in ('active', 'inactive')
),

first_votes as (
    select
        voter_id,
        min(election_date) as first_voted_on
    from {{ ref('int_vote_history_unioned') }}
    group by voter_id
),

novembers as (
    select
        *,
        cast(extract(year from election_date) as int) as election_year
    from {{ ref('int_elections_dated') }}
    where kind in ('general', 'municipal')
)

select
    voters.voter_id,
    voters.state,
    novembers.as_of_date,
    novembers.election_date,
    novembers.election_kind,
    novembers.contest_closeness,
    novembers.election_year - voters.birth_year as age,
    case when voters.registered_on < novembers.as_of_date then voters.registered_on else first_votes.first_voted_on end
        as known_since
from voters
left join first_votes on voters.voter_id = first_votes.voter_id
inner join novembers on voters.state = novembers.state
where
    (voters.registered_on < novembers.as_of_date or first_votes.first_voted_on < novembers.as_of_date)
    and coalesce(novembers.election_year - voters.birth_year, 18) >= 18
