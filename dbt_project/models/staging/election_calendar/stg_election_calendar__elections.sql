select
    state,
    election_date,
    kind,
    name,
    registration_closes_on,
    contest_closeness
from {{ source('election_calendar', 'elections') }}
