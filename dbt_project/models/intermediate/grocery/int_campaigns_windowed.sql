-- A campaign counts from the day after its start on: strictly before the as-of date, like every other event. Its last
-- day is announced when it starts, so whether it still runs is known.
with

households as (
    select * from {{ ref('int_households_dated') }}
),

received as (
    select
        campaign_households.household_id,
        campaigns.start_date,
        campaigns.end_date
    from {{ ref('stg_complete_journey__campaign_households') }} as campaign_households
    inner join {{ ref('stg_complete_journey__campaigns') }} as campaigns
        on campaign_households.campaign_id = campaigns.campaign_id
),

redemptions as (
    select * from {{ ref('stg_complete_journey__coupon_redemptions') }}
),

campaigns as (
    select
        examples.household_id,
        examples.as_of_date,
        {{ count_before(where='events.end_date >= examples.as_of') }} as count_running_campaigns,
        {{ days_since_last() }} as days_since_last_campaign
    from {{ events_before('households', 'received', entity='household_id', event_time='start_date') }}
    group by examples.household_id, examples.as_of_date
),

coupons as (
    select
        examples.household_id,
        examples.as_of_date,
        {{ count_before(days=56) }} as count_coupons_redeemed_56d
    from {{ events_before('households', 'redemptions', entity='household_id', event_time='redeemed_on') }}
    group by examples.household_id, examples.as_of_date
)

select
    campaigns.*,
    coupons.count_coupons_redeemed_56d
from campaigns
inner join coupons on campaigns.household_id = coupons.household_id and campaigns.as_of_date = coupons.as_of_date
