-- Who has moved to another county may be in the files of both for a while.
with

ranked as (
    select
        *,
        row_number() over (
            partition by voter_id
            order by
                case voter_status when 'ACT' then 1 when 'INA' then 2 else 3 end asc,
                registration_date desc nulls last,
                county_code asc
        ) as place
    from {{ source('florida', 'voters') }}
)

select
    'FL-' || trim(voter_id) as voter_id,
    {{ tidied('county_code') }} as county,
    {{ tidied('precinct') }} as precinct,
    registration_date as registered_on,
    cast(extract(year from {{ known_date('birth_date') }}) as int) as birth_year,
    case gender when 'F' then 'female' when 'M' then 'male' else 'unknown' end as gender,
    case race
        when '1' then 'american indian' when '2' then 'asian' when '3' then 'black' when '4' then 'hispanic'
        when '5' then 'white' when '6' then 'other' when '7' then 'other' else 'unknown'
    end as race,
    case
        when party_affiliation in ('DEM', 'REP') then party_affiliation
        when party_affiliation = 'NPA' then 'UNAFFILIATED'
        when party_affiliation is not null then 'OTHER'
    end as party,
    case voter_status when 'ACT' then 'active' when 'INA' then 'inactive' else 'pending' end as status,
    {{ tidied_name('name_first') }} as first_name,
    {{ tidied_name('name_middle') }} as middle_name,
    {{ without_suffix('name_last') }} as last_name,
    coalesce({{ tidied_name('name_suffix') }}, {{ suffix_of('name_last') }}) as name_suffix,
    {{ known_address('residence_address_line_1') }} as street_address,
    {{ tidied_name('residence_address_line_2') }} as unit,
    {{ tidied('residence_city') }} as city,
    {{ five_digits('residence_zipcode') }} as postcode
from ranked
where place = 1
