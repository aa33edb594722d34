-- How many voters a county can expect, and how sure that is. Two things make it unsure, and their variances add up.
-- Chance: each voter comes or does not; the variances are p (1 - p), and in a large county they hardly matter.
-- Surprise: an election draws more people than usual, or fewer, and all at once; how much is read from the past.
with

voters as (
    select * from {{ ref('voters') }}
),

past as (
    select
        state,
        county,
        election_date,
        election_kind,
        cast(sum(count_voted) as double) as count_voted,
        cast(sum(count_registered) as double) as count_registered
    from {{ ref('int_precincts_aggregated') }}
    group by state, county, election_date, election_kind
),

compared as (
    select
        *,
        count_voted / count_registered as turnout,
        avg(count_voted / count_registered) over (
            partition by state, county, election_kind
            order by election_date asc rows between unbounded preceding and 1 preceding
        ) as turnout_before
    from past
),

-- One number for all counties and kinds: the typical distance of a county's turnout from the mean of its earlier
-- elections of the same kind.
surprise as (
    select sqrt(avg((turnout - turnout_before) * (turnout - turnout_before))) as turnout_surprise
    from compared
),

last_elections as (
    select
        compared.state,
        compared.county,
        compared.election_kind,
        max_by(compared.turnout, compared.election_date) as last_turnout
    from compared
    where compared.election_date < (select min(voters.as_of_date) from voters)
    group by compared.state, compared.county, compared.election_kind
),

counties as (
    select
        state,
        county,
        election_date,
        election_kind,
        cast(count(*) as int) as count_registered,
        sum(turnout_probability) as expected_voters,
        sum(turnout_probability * (1 - turnout_probability)) as chance_variance,
        cast(count(case when turnout_probability >= 0.5 then 1 end) as int) as count_likely_voters
    from voters
    group by state, county, election_date, election_kind
),

measured as (
    select
        counties.*,
        surprise.turnout_surprise,
        -- 1.645 standard deviations to either side hold nine tenths of a normal distribution.
        1.645 * sqrt(
            counties.chance_variance
            + (counties.count_registered * surprise.turnout_surprise)
            * (counties.count_registered * surprise.turnout_surprise)
        ) as half_width
    from counties
    cross join surprise
)

select
    measured.state,
    measured.county,
    measured.election_date,
    measured.election_kind,
    measured.count_registered,
    measured.expected_voters,
    greatest(measured.expected_voters - measured.half_width, 0) as expected_voters_low,
    least(measured.expected_voters + measured.half_width, measured.count_registered) as expected_voters_high,
    measured.expected_voters / measured.count_registered as expected_turnout,
    greatest(measured.expected_voters - measured.half_width, 0) / measured.count_registered as expected_turnout_low,
    least(measured.expected_voters + measured.half_width, measured.count_registered) / measured.count_registered
        as expected_turnout_high,
    case when measured.expected_voters is not null then measured.count_likely_voters end as count_likely_voters,
    last_elections.last_turnout,
    measured.turnout_surprise
from measured
left join last_elections
    on
        measured.state = last_elections.state
        and measured.county = last_elections.county
        and measured.election_kind = last_elections.election_kind
