-- The numbers are counts of elections, one after the other, so that they add up to the same in any order.
with

voters as (
    select * from {{ ref('int_voters_unioned') }}
    where status in ('active', 'inactive')
),

history as (
    select * from {{ ref('int_vote_history_unioned') }}
),

first_votes as (
    select
        voter_id,
        min(election_date) as first_voted_on
    from history
    group by voter_id
),

reported as (
    select * from {{ ref('int_elections_reported') }}
),

-- Each election that a voter could take part in, and whether he or she did.
chances as (
    select
        voters.voter_id,
        reported.election_date,
        reported.election_kind,
        history.ballot_party,
        case when history.voter_id is not null then 1 else 0 end as has_voted,
        case when reported.election_kind <> 'primary' then 1 else 0 end as is_november,
        case when reported.election_kind in ('presidential', 'midterm') then 1 else 0 end as is_general,
        cast(row_number() over (partition by voters.voter_id order by reported.election_date asc) as int) as place
    from voters
    left join first_votes on voters.voter_id = first_votes.voter_id
    inner join reported
        on
            voters.state = reported.state
            and voters.county = reported.county
    left join history on voters.voter_id = history.voter_id and reported.election_date = history.election_date
    where
        reported.election_date >= least(voters.registered_on, first_votes.first_voted_on)
        and coalesce(cast(extract(year from reported.election_date) as int) - voters.birth_year, 18) >= 18
),

-- What was last is the largest of place * 2 + outcome; its remainder is the outcome.
accumulated as (
    select
        voter_id,
        election_date,
        election_kind,
        has_voted,
        place as count_elections,
        cast(sum(is_november) over so_far as int) as count_novembers,
        cast(sum(is_general) over so_far as int) as count_generals,
        cast(count(case when election_kind = 'municipal' then 1 end) over so_far as int) as count_municipals,
        cast(count(case when election_kind = 'primary' then 1 end) over so_far as int) as count_primaries,
        cast(sum(has_voted * is_general) over so_far as int) as count_votes_in_generals,
        cast(count(case when election_kind = 'municipal' and has_voted = 1 then 1 end) over so_far as int)
            as count_votes_in_municipals,
        cast(count(case when election_kind = 'primary' and has_voted = 1 then 1 end) over so_far as int)
            as count_votes_in_primaries,
        cast(sum(has_voted) over (
            partition by voter_id order by election_date asc rows between 1 preceding and current row
        ) as int) as count_votes_in_2,
        cast(sum(has_voted) over (
            partition by voter_id order by election_date asc rows between 3 preceding and current row
        ) as int) as count_votes_in_4,
        cast(sum(has_voted) over (
            partition by voter_id order by election_date asc rows between 7 preceding and current row
        ) as int) as count_votes_in_8,
        max(case when is_november = 1 then place * 2 + has_voted end) over so_far as last_november,
        max(case when is_general = 1 then place * 2 + has_voted end) over so_far as last_general,
        max(case when election_kind = 'presidential' then place * 2 + has_voted end) over so_far as last_presidential,
        max(case when election_kind = 'midterm' then place * 2 + has_voted end) over so_far as last_midterm,
        max(case when election_kind = 'municipal' then place * 2 + has_voted end) over so_far as last_municipal,
        max(case when election_kind = 'primary' then place * 2 + has_voted end) over so_far as last_primary,
        max(case when ballot_party is not null then place * 2 + case ballot_party when 'REP' then 1 else 0 end end)
            over so_far as last_ballot,
        max(case when has_voted = 1 then election_date end) over so_far as last_voted_on
    from chances
    window so_far as (partition by voter_id order by election_date asc rows unbounded preceding)
)

select
    voter_id,
    election_date,
    election_kind,
    has_voted,
    count_elections,
    count_novembers,
    count_generals,
    count_municipals,
    count_primaries,
    count_votes_in_generals,
    count_votes_in_municipals,
    count_votes_in_primaries,
    count_votes_in_2,
    count_votes_in_4,
    count_votes_in_8,
    cast(mod(last_november, 2) as int) as voted_last_november,
    cast(mod(last_general, 2) as int) as voted_last_general,
    cast(mod(last_presidential, 2) as int) as voted_last_presidential,
    cast(mod(last_midterm, 2) as int) as voted_last_midterm,
    cast(mod(last_municipal, 2) as int) as voted_last_municipal,
    cast(mod(last_primary, 2) as int) as voted_last_primary,
    case mod(last_ballot, 2) when 1 then 'REP' when 0 then 'DEM' end as last_ballot_party,
    last_voted_on,
    -- Novembers since the last vote: those so far less those up to it.
    count_novembers - cast(coalesce(
        max(case when has_voted = 1 then count_novembers end)
            over (partition by voter_id order by election_date asc rows unbounded preceding), 0
    ) as int) as count_novembers_missed
from accumulated
