with

elections as (
    select
        *,
        kind = 'general' and mod(cast(extract(year from election_date) as int), 4) = 0 as is_presidential
    from {{ ref('stg_election_calendar__elections') }}
)

select
    state,
    election_date,
    kind,
    is_presidential,
    case when is_presidential then 'presidential' when kind = 'general' then 'midterm' else kind end as election_kind,
    contest_closeness,
    cast({{ dbt.dateadd('day', -28, 'election_date') }} as date) as as_of_date
from elections
