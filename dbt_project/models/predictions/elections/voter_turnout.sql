-- Counties send their histories one by one: until a voter's county has, nobody knows who stayed at home.
with

features as (
    select * from {{ ref('voter_features') }}
),

counties as (
    select
        voter_id,
        county
    from {{ ref('int_voters_unioned') }}
),

reported as (
    select * from {{ ref('int_elections_reported') }}
    where election_kind <> 'primary' and state in ({{ "'" ~ var('states_learned_from') | join("', '") ~ "'" }})
),

votes as (
    select distinct
        history.voter_id,
        elections.as_of_date
    from {{ ref('int_vote_history_unioned') }} as history
    inner join {{ ref('int_elections_dated') }} as elections
        on history.state = elections.state and history.election_date = elections.election_date
    where elections.election_kind <> 'primary'
)

select
    features.*,
    case
        when reported.county is null then null
        when votes.voter_id is not null then 1
        else 0
    end as has_voted
from features
inner join counties on features.voter_id = counties.voter_id
left join reported
    on
        features.state = reported.state
        and counties.county = reported.county
        and features.as_of_date = reported.as_of_date
left join votes on features.voter_id = votes.voter_id and features.as_of_date = votes.as_of_date
