with

members as (
    select * from {{ source('gym', 'members') }}
),

visits as (
    select * from {{ source('gym', 'visits') }}
),

plans as (
    select * from {{ source('gym', 'plans') }}
),

visited as (
    select
        examples.member_id,
        examples.as_of_date,
        {{ count_before() }} as count_visits,
        {{ count_before(days=7) }} as count_visits_7d,
        {{ count_before(days=28, where='is_guest') }} as count_guest_visits_28d,
        {{ count_before(where='amount is null') }} as count_unpaid_visits,
        {{ distinct_before('room') }} as count_rooms,
        {{ distinct_before('room', days=7) }} as count_rooms_7d,
        {{ sum_before('amount') }} as amount,
        {{ sum_before('amount', days=28) }} as amount_28d,
        {{ sum_before('amount', where="room = 'pool'") }} as amount_in_pool,
        {{ ratio_before('amount', 'minutes', days=28) }} as amount_per_minute_28d,
        {{ mean_before('amount') }} as mean_amount,
        {{ mean_before('amount', days=7) }} as mean_amount_7d,
        {{ min_before('amount', days=28) }} as min_amount_28d,
        {{ max_before('amount', days=28, where='not is_guest') }} as max_amount_28d,
        {{ share_before('is_guest') }} as guest_share,
        {{ share_before("room = 'pool'", 'amount', days=28) }} as pool_share_28d,
        {{ share_before("room = 'pool'", 'amount', days=28, where='minutes > 30') }} as long_pool_share_28d,
        {{ days_since_last() }} as days_since_last,
        {{ days_since_last(where='is_guest') }} as days_since_last_guest,
        {{ days_since_first() }} as days_since_first,
        cast(median(events.minutes) as double) as median_minutes
    from {{ events_before('members', 'visits', entity='member_id', event_time='visited_at') }}
    group by examples.member_id, examples.as_of_date
),

-- As of noon, and at the member's own site.
visited_lately as (
    select
        examples.member_id,
        examples.as_of_date,
        count(events.visited_at) as count_visits_here_7d
    from {{ events_before(
        'members', 'visits', entity=['member_id', 'site_id'], event_time='visited_at', as_of='decided_at', days=7
    ) }}
    group by examples.member_id, examples.as_of_date
),

planned as (
    select
        examples.member_id,
        examples.as_of_date,
        history.plan_id,
        history.event_at as planned_at
    from {{ latest_before('members', 'plans', entity='member_id', event_time='valid_from', tie_breaker='plan_id') }}
)

select
    visited.*,
    visited_lately.count_visits_here_7d,
    planned.plan_id,
    planned.planned_at
from visited
inner join visited_lately
    on visited.member_id = visited_lately.member_id and visited.as_of_date = visited_lately.as_of_date
inner join planned on visited.member_id = planned.member_id and visited.as_of_date = planned.as_of_date
