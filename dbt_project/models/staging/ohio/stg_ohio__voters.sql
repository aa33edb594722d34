with

ranked as (
    select
        *,
        row_number() over (
            partition by sos_voterid order by registration_date desc nulls last, county_number asc, county_id asc
        ) as place
    from {{ source('ohio', 'swvf') }}
)

select
    'OH-' || trim(sos_voterid) as voter_id,
    trim(county_number) as county,
    {{ tidied('precinct_code') }} as precinct,
    registration_date as registered_on,
    cast(extract(year from {{ known_date('date_of_birth') }}) as int) as birth_year,
    'unknown' as gender,
    'unknown' as race,
    cast(null as {{ dbt.type_string() }}) as party,
    case {{ tidied('voter_status') }} when 'ACTIVE' then 'active' when 'CONFIRMATION' then 'inactive' else 'pending' end
        as status,
    {{ tidied_name('first_name') }} as first_name,
    {{ tidied_name('middle_name') }} as middle_name,
    {{ without_suffix('last_name') }} as last_name,
    coalesce({{ tidied_name('suffix') }}, {{ suffix_of('last_name') }}) as name_suffix,
    {{ known_address('residential_address1') }} as street_address,
    {{ tidied_name('residential_secondary_addr') }} as unit,
    {{ tidied('residential_city') }} as city,
    {{ five_digits('residential_zip') }} as postcode
from ranked
where place = 1
