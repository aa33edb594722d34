with

ranked as (
    select
        *,
        row_number() over (
            partition by statevoterid
            order by
                case statuscode when 'A' then 1 when 'I' then 2 else 3 end asc,
                registrationdate desc nulls last,
                countycode asc
        ) as place
    from {{ source('washington', 'voters') }}
),

addressed as (
    select
        *,
        concat_ws(
            ' ', regstnum, regstfrac, regstpredirection, regstname, regsttype, regstpostdirection
        ) as street,
        concat_ws(' ', regunittype, regunitnum) as unit
    from ranked
    where place = 1
)

select
    'WA-' || trim(statevoterid) as voter_id,
    {{ tidied('countycode') }} as county,
    {{ tidied('precinctcode') }} as precinct,
    registrationdate as registered_on,
    cast(extract(year from {{ known_date('birthdate') }}) as int) as birth_year,
    case gender when 'F' then 'female' when 'M' then 'male' else 'unknown' end as gender,
    'unknown' as race,
    cast(null as {{ dbt.type_string() }}) as party,
    case statuscode when 'A' then 'active' when 'I' then 'inactive' else 'pending' end as status,
    {{ tidied_name('fname') }} as first_name,
    {{ tidied_name('mname') }} as middle_name,
    {{ without_suffix('lname') }} as last_name,
    coalesce({{ tidied_name('namesuffix') }}, {{ suffix_of('lname') }}) as name_suffix,
    {{ known_address('street') }} as street_address,
    {{ tidied_name('unit') }} as unit,
    {{ tidied('regcity') }} as city,
    {{ five_digits('regzipcode') }} as postcode
from addressed
