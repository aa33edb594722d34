with

unioned as (
    select
        'NC' as state,
        *
    from {{ ref('stg_north_carolina__voters') }}
    union all
    select
        'OH' as state,
        *
    from {{ ref('stg_ohio__voters') }}
    union all
    select
        'FL' as state,
        *
    from {{ ref('stg_florida__voters') }}
    union all
    select
        'WA' as state,
        *
    from {{ ref('stg_washington__voters') }}
)

select
    voter_id,
    state,
    county,
    precinct,
    registered_on,
    birth_year,
    gender,
    race,
    party,
    status,
    case
        when street_address is not null
            then {{ dbt.hash("concat_ws('|', state, concat_ws(' ', street_address, unit), postcode)") }}
    end as household_key,
    first_name,
    middle_name,
    last_name,
    name_suffix,
    nullif(concat_ws(' ', street_address, unit), '') as street_address,
    city,
    postcode
from unioned
