select
    respondent_id,
    wave_id,
    called_at,
    state,
    known_voter_id,
    first_name,
    last_name,
    birth_year,
    postcode
from {{ ref('stg_polls__respondents') }}
