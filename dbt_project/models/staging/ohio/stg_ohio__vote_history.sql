-- The file has a column for each election, such as PRIMARY-05/03/2022; the loader gathers them into a map.
with

votes as (
    select
        sos_voterid,
        county_number,
        {{ map_entries('elections') }}
    from {{ source('ohio', 'swvf') }}
),

dated as (
    select
        *,
        cast(right(key, 4) || '-' || left(right(key, 10), 2) || '-' || left(right(key, 7), 2) as date) as election_date
    from votes
    where trim(value) <> ''
)

select
    'OH-' || trim(sos_voterid) as voter_id,
    election_date,
    max(trim(county_number)) as county,
    max(case upper(trim(value)) when 'D' then 'DEM' when 'R' then 'REP' end) as ballot_party
from dated
group by sos_voterid, election_date
