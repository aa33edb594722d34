select
    cast(wave_id as {{ dbt.type_string() }}) as wave_id,
    cast(position as int) as question_number,
    question,
    wording,
    cast(key as {{ dbt.type_string() }}) as answer_key,
    meaning
from {{ source('polls', 'questionnaires') }}
