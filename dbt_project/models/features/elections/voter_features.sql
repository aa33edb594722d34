with

examples as (
    select * from {{ ref('int_voters_dated') }}
    where as_of_date >= date '2014-01-01'  -- earlier, there is no past yet to tell habits from
),

voters as (
    select * from {{ ref('int_voters_unioned') }}
),

votes as (
    select * from {{ ref('int_votes_accumulated') }}
),

precincts as (
    select * from {{ ref('int_precincts_windowed') }}
),

-- The voter's own past
with_habit as (
    select
        examples.voter_id,
        examples.state,
        examples.as_of_date,
        examples.election_kind,
        examples.contest_closeness,
        examples.age,
        {{ dbt.datediff('examples.known_since', 'examples.as_of_date', 'day') }} as days_since_registered,
        {{ dbt.datediff('history.last_voted_on', 'examples.as_of_date', 'day') }} as days_since_last_vote,
        least(coalesce(history.count_elections, 0), 8) as count_elections,
        coalesce(history.count_novembers_missed, 0) as count_novembers_missed,
        coalesce(history.count_votes_in_2, 0) as count_votes_in_2,
        coalesce(history.count_votes_in_4, 0) as count_votes_in_4,
        coalesce(history.count_votes_in_8, 0) as count_votes_in_8,
        history.voted_last_november,
        history.voted_last_general,
        history.voted_last_presidential,
        history.voted_last_midterm,
        history.voted_last_municipal,
        history.voted_last_primary,
        history.last_ballot_party,
        {{ ratio('history.count_votes_in_8', 'least(history.count_elections, 8)') }} as vote_share_8,
        {{ ratio('history.count_votes_in_generals', 'history.count_generals') }} as general_vote_share,
        {{ ratio('history.count_votes_in_municipals', 'history.count_municipals') }} as municipal_vote_share,
        {{ ratio('history.count_votes_in_primaries', 'history.count_primaries') }} as primary_vote_share
    from {{ latest_before('examples', 'votes', entity='voter_id', event_time='election_date') }}
),

described as (
    select
        with_habit.*,
        voters.county,
        coalesce(voters.precinct, 'unknown') as precinct,
        -- Who has no address lives alone.
        coalesce(voters.household_key, voters.voter_id) as household_key,
        coalesce(voters.party, with_habit.last_ballot_party, 'none') as party,
        voters.gender,
        voters.race
    from with_habit
    inner join voters on with_habit.voter_id = voters.voter_id
),

-- The others in the household: all of it less the voter
with_household as (
    select
        *,
        cast(count(*) over household as int) - 1 as others,
        sum(coalesce(voted_last_november, 0)) over household - coalesce(voted_last_november, 0)
            as others_in_last_november,
        sum(coalesce(voted_last_general, 0)) over household - coalesce(voted_last_general, 0) as others_in_last_general
    from described
    window household as (partition by household_key, as_of_date)
)

select
    with_household.voter_id,
    with_household.as_of_date,
    with_household.election_kind,
    with_household.contest_closeness,
    with_household.age,
    with_household.party,
    with_household.days_since_registered,
    with_household.days_since_last_vote,
    with_household.count_elections,
    with_household.count_novembers_missed,
    with_household.count_votes_in_2,
    with_household.count_votes_in_4,
    with_household.count_votes_in_8,
    with_household.vote_share_8,
    with_household.general_vote_share,
    with_household.municipal_vote_share,
    with_household.primary_vote_share,
    with_household.voted_last_november,
    with_household.voted_last_general,
    with_household.voted_last_presidential,
    with_household.voted_last_midterm,
    with_household.voted_last_municipal,
    with_household.voted_last_primary,
    case with_household.election_kind
        when 'presidential' then with_household.voted_last_presidential
        when 'midterm' then with_household.voted_last_midterm
        else with_household.voted_last_municipal
    end as voted_last_of_this_kind,
    with_household.others + 1 as household_size,
    {{ ratio('with_household.others_in_last_november', 'with_household.others') }}
        as household_vote_share_last_november,
    {{ ratio('with_household.others_in_last_general', 'with_household.others') }}
        as household_vote_share_last_general,
    precincts.county_turnout_last,
    precincts.county_turnout_mean,
    precincts.precinct_turnout_last,
    precincts.precinct_turnout_mean,

    -- Never a feature
    with_household.state,
    with_household.gender,
    with_household.race
from with_household
left join precincts
    on
        with_household.state = precincts.state
        and with_household.county = precincts.county
        and with_household.precinct = precincts.precinct
        and with_household.as_of_date = precincts.as_of_date
