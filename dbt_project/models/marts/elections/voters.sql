with

features as (
    select * from {{ ref('voter_features') }}
),

scores as (
    select * from {{ source('scores', 'voter_turnout') }}
),

registered as (
    select * from {{ ref('int_voters_unioned') }}
),

elections as (
    select * from {{ ref('int_elections_dated') }}
),

-- The latest date that has been scored, else the latest there is.
latest as (
    select coalesce((select max(as_of_date) from scores), (select max(as_of_date) from features)) as as_of_date
),

generals as (
    select
        elections.state,
        elections.election_date,
        row_number() over (partition by elections.state order by elections.election_date desc) as place
    from elections
    inner join latest on elections.election_date < latest.as_of_date
    where elections.kind = 'general'
),

votes_in_generals as (
    select
        history.voter_id,
        cast(count(*) as int) as count_votes_in_last_4_generals
    from {{ ref('int_vote_history_unioned') }} as history
    inner join generals
        on history.state = generals.state and history.election_date = generals.election_date and generals.place <= 4
    group by history.voter_id
),

joined as (
    select
        features.voter_id,
        features.state,
        registered.county,
        registered.precinct,
        elections.election_date,
        features.election_kind,
        features.as_of_date,
        scores.score as turnout_probability,
        scores.reason_1 as turnout_reason_1,
        scores.reason_2 as turnout_reason_2,
        scores.reason_3 as turnout_reason_3,
        case when scores.voter_id is not null then coalesce(scores.is_treated, true) end as turnout_is_treated,
        registered.status,
        features.age,
        features.party,
        coalesce(votes_in_generals.count_votes_in_last_4_generals, 0) as count_votes_in_last_4_generals,
        features.household_size,
        registered.first_name,
        registered.middle_name,
        registered.last_name,
        registered.name_suffix,
        registered.street_address,
        registered.city,
        registered.postcode,
        scores.model_version as turnout_model_version
    from features
    inner join latest on features.as_of_date = latest.as_of_date
    inner join registered on features.voter_id = registered.voter_id
    inner join elections on features.state = elections.state and features.as_of_date = elections.as_of_date
    left join votes_in_generals on features.voter_id = votes_in_generals.voter_id
    left join scores on features.voter_id = scores.voter_id and features.as_of_date = scores.as_of_date
)

select
    voter_id,
    state,
    county,
    precinct,
    election_date,
    election_kind,
    as_of_date,
    turnout_probability,
    case
        when turnout_probability is null then 'not scored'
        when turnout_probability >= 0.8 then 'very likely'
        when turnout_probability >= 0.5 then 'likely'
        when turnout_probability >= 0.2 then 'unlikely'
        else 'very unlikely'
    end as turnout_band,
    case
        when turnout_probability is not null
            then cast(row_number() over (order by turnout_probability desc nulls last, voter_id asc) as int)
    end as turnout_rank,
    case
        when turnout_probability is not null
            then cast(row_number() over (
                partition by state order by turnout_probability desc nulls last, voter_id asc
            ) as int)
    end as turnout_rank_in_state,
    turnout_reason_1,
    turnout_reason_2,
    turnout_reason_3,
    turnout_is_treated,
    status,
    age,
    party,
    count_votes_in_last_4_generals,
    household_size,
    first_name,
    middle_name,
    last_name,
    name_suffix,
    street_address,
    city,
    postcode,
    turnout_model_version
from joined
