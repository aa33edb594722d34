select
    wave_id || '-' || cast(respondent_number as {{ dbt.type_string() }}) as respondent_id,
    wave_id,
    called_at,
    state,
    case when trim(voter_id) <> '' then state || '-' || trim(voter_id) end as known_voter_id,
    {{ tidied_name('first_name') }} as first_name,
    {{ without_suffix('last_name') }} as last_name,
    cast(birth_year as int) as birth_year,
    {{ five_digits('postcode') }} as postcode
from {{ source('polls', 'respondents') }}
