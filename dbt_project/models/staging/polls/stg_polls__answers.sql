-- The last key counts. Who pressed 9 last heard the question again and then hung up.
select
    wave_id || '-' || cast(respondent_number as {{ dbt.type_string() }}) as respondent_id,
    wave_id,
    cast(position as int) as question_number,
    nullif(right(trim(keys), 1), '9') as answer_key
from {{ source('polls', 'answers') }}
where trim(keys) <> ''
