-- Who has moved to another county has a registration in each. The one that counts is the one that is still in force,
-- else the latest.
with

registrations as (
    select
        *,
        case status_cd when 'A' then 1 when 'S' then 2 when 'I' then 3 when 'R' then 5 else 4 end as status_order
    from {{ source('north_carolina', 'ncvoter') }}
),

ranked as (
    select
        *,
        row_number() over (
            partition by ncid
            order by status_order asc, registr_dt desc nulls last, county_id asc, voter_reg_num asc
        ) as place
    from registrations
)

select
    'NC-' || trim(ncid) as voter_id,
    {{ tidied('county_desc') }} as county,
    {{ tidied('precinct_abbrv') }} as precinct,
    registr_dt as registered_on,
    case when cast(birth_year as int) > 1900 then cast(birth_year as int) end as birth_year,
    case gender_code when 'F' then 'female' when 'M' then 'male' else 'unknown' end as gender,
    case
        when ethnic_code = 'HL' then 'hispanic'
        when race_code = 'W' then 'white'
        when race_code = 'B' then 'black'
        when race_code in ('A', 'P') then 'asian'
        when race_code = 'I' then 'american indian'
        when race_code in ('M', 'O') then 'other'
        else 'unknown'
    end as race,
    case
        when party_cd in ('DEM', 'REP') then party_cd
        when party_cd = 'UNA' then 'UNAFFILIATED'
        when party_cd is not null then 'OTHER'
    end as party,
    case
        when status_cd in ('A', 'S') then 'active'
        when status_cd = 'I' then 'inactive'
        when status_cd in ('R', 'D') then 'removed'
        else 'pending'
    end as status,
    {{ tidied_name('first_name') }} as first_name,
    {{ tidied_name('coalesce(middle_name, midl_name)') }} as middle_name,
    {{ without_suffix('last_name') }} as last_name,
    coalesce({{ tidied_name('coalesce(name_suffix_lbl, name_sufx_cd)') }}, {{ suffix_of('last_name') }}) as name_suffix,
    {{ known_address('res_street_address') }} as street_address,
    cast(null as {{ dbt.type_string() }}) as unit,
    {{ tidied('res_city_desc') }} as city,
    {{ five_digits('zip_code') }} as postcode
from ranked
where place = 1
