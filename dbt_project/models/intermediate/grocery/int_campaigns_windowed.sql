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
        households.household_id,
        households.as_of_date,
        count(case when received.end_date >= households.as_of_date then 1 end) as count_running_campaigns,
        {{ dbt.datediff('max(received.start_date)', 'households.as_of_date', 'day') }} as days_since_last_campaign
    from households
    inner join received
        on
            households.household_id = received.household_id
            and households.as_of_date > received.start_date
    group by households.household_id, households.as_of_date
),

coupons as (
    select
        households.household_id,
        households.as_of_date,
        count(*) as count_coupons_redeemed_56d
    from households
    inner join redemptions
        on
            households.household_id = redemptions.household_id
            and households.as_of_date > redemptions.redeemed_on
            and households.as_of_date - interval '56' day <= redemptions.redeemed_on
    group by households.household_id, households.as_of_date
)

select
    households.household_id,
    households.as_of_date,
    coalesce(campaigns.count_running_campaigns, 0) as count_running_campaigns,
    campaigns.days_since_last_campaign,
    coalesce(coupons.count_coupons_redeemed_56d, 0) as count_coupons_redeemed_56d
from households
left join campaigns
    on
        households.household_id = campaigns.household_id
        and households.as_of_date = campaigns.as_of_date
left join coupons
    on
        households.household_id = coupons.household_id
        and households.as_of_date = coupons.as_of_date
