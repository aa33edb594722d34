-- The names of the macros for something else: neither may take the place of what they mean.
with

members as (
    select *, as_of_date + interval '90' day as as_of from {{ source('gym', 'members') }}
),

visits as (
    select *, timestamp '1999-01-01' as event_at from {{ source('gym', 'visits') }}
)

select
    examples.member_id,
    examples.as_of_date,
    {{ count_before(days=7) }} as count_visits_7d
from {{ events_before('members', 'visits', entity='member_id', event_time='visited_at') }}
group by examples.member_id, examples.as_of_date
