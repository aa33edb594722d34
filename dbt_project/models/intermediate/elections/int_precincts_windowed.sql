-- What was known of turnout in a place before each as-of date, in elections of the kind that is ahead.
with

precincts as (
    select * from {{ ref('int_precincts_aggregated') }}
),

counties as (
    select
        state,
        county,
        election_date,
        election_kind,
        cast(sum(count_registered) as int) as count_registered,
        cast(sum(count_voted) as int) as count_voted
    from precincts
    group by state, county, election_date, election_kind
),

novembers as (
    select * from {{ ref('int_elections_dated') }}
    where kind in ('general', 'municipal')
),

precincts_dated as (
    select distinct
        precincts.state,
        precincts.county,
        precincts.precinct,
        novembers.as_of_date,
        novembers.election_kind
    from precincts
    inner join novembers on precincts.state = novembers.state and precincts.election_date < novembers.as_of_date
),

counties_dated as (
    select distinct
        state,
        county,
        as_of_date,
        election_kind
    from precincts_dated
),

of_precincts as (
    select
        examples.state,
        examples.county,
        examples.precinct,
        examples.as_of_date,
        {{ ratio_before('count_voted', 'count_registered') }} as precinct_turnout_mean,
        max(events.event_at) as last_election_date
    from {{ events_before(
        'precincts_dated', 'precincts', entity=['state', 'county', 'precinct', 'election_kind'],
        event_time='election_date'
    ) }}
    group by examples.state, examples.county, examples.precinct, examples.as_of_date
),

of_counties as (
    select
        examples.state,
        examples.county,
        examples.as_of_date,
        {{ ratio_before('count_voted', 'count_registered') }} as county_turnout_mean,
        max(events.event_at) as last_election_date
    from {{ events_before(
        'counties_dated', 'counties', entity=['state', 'county', 'election_kind'], event_time='election_date'
    ) }}
    group by examples.state, examples.county, examples.as_of_date
)

select
    of_precincts.state,
    of_precincts.county,
    of_precincts.precinct,
    of_precincts.as_of_date,
    of_counties.county_turnout_mean,
    {{ ratio('counties.count_voted', 'counties.count_registered') }} as county_turnout_last,
    of_precincts.precinct_turnout_mean,
    {{ ratio('precincts.count_voted', 'precincts.count_registered') }} as precinct_turnout_last
from of_precincts
inner join of_counties
    on
        of_precincts.state = of_counties.state
        and of_precincts.county = of_counties.county
        and of_precincts.as_of_date = of_counties.as_of_date
left join precincts
    on
        of_precincts.state = precincts.state
        and of_precincts.county = precincts.county
        and of_precincts.precinct = precincts.precinct
        and of_precincts.last_election_date = precincts.election_date
left join counties
    on
        of_counties.state = counties.state
        and of_counties.county = counties.county
        and of_counties.last_election_date = counties.election_date
