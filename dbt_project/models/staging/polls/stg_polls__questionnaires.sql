select
    cast(wave_id as {{ dbt.type_string() }}) as wave_id,
    cast(position as int) as position,
    question,
    wording,
    cast(key as {{ dbt.type_string() }}) as key,
    meaning
from {{ source('polls', 'questionnaires') }}
