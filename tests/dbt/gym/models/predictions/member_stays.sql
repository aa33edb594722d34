with

members as (
    select * from {{ source('gym', 'members') }}
),

visits as (
    select * from {{ source('gym', 'visits') }}
),

guest_visits as (
    select * from visits
    where is_guest
),

visited as (
    select
        examples.member_id,
        examples.as_of_date,
        {{ label_within('count(events.event_at)') }} as count_next_visits
    from {{ events_within('members', 'visits', entity='member_id', event_time='visited_at') }}
    group by examples.member_id, examples.as_of_date
),

guest as (
    select
        examples.member_id,
        examples.as_of_date,
        {{ label_within('count(events.event_at)') }} as count_next_guest_visits
    from {{ events_within(
        'members', 'guest_visits', entity='member_id', event_time='visited_at', reach='visits'
    ) }}
    group by examples.member_id, examples.as_of_date
),

guest_alone as (
    select
        examples.member_id,
        examples.as_of_date,
        {{ label_within('count(events.event_at)') }} as count_next_guest_visits_alone
    from {{ events_within('members', 'guest_visits', entity='member_id', event_time='visited_at') }}
    group by examples.member_id, examples.as_of_date
),

known_until as (
    select
        examples.member_id,
        examples.as_of_date,
        {{ label_within('count(events.event_at)') }} as count_next_guest_visits_known
    from {{ events_within(
        'members', 'guest_visits', entity='member_id', event_time='visited_at', known_until="date '2024-03-18'"
    ) }}
    group by examples.member_id, examples.as_of_date
)

select
    visited.*,
    guest.count_next_guest_visits,
    guest_alone.count_next_guest_visits_alone,
    known_until.count_next_guest_visits_known
from visited
inner join guest on visited.member_id = guest.member_id and visited.as_of_date = guest.as_of_date
inner join guest_alone on visited.member_id = guest_alone.member_id and visited.as_of_date = guest_alone.as_of_date
inner join known_until on visited.member_id = known_until.member_id and visited.as_of_date = known_until.as_of_date
