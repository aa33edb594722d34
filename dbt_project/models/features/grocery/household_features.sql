with

households as (
    select * from {{ ref('int_households_dated') }}
),

purchase_days as (
    select
        *,
        sales_value + loyalty_discount + coupon_match_discount as shelf_value,
        loyalty_discount + coupon_match_discount + coupon_discount as savings
    from {{ ref('int_purchase_days_aggregated') }}
),

purchases as (
    select * from {{ ref('int_baskets_aggregated') }}
    where is_purchase
),

departments as (
    select * from {{ ref('int_departments_windowed') }}
),

campaigns as (
    select * from {{ ref('int_campaigns_windowed') }}
),

demographics as (
    select * from {{ ref('stg_complete_journey__demographics') }}
),

bought as (
    select
        examples.household_id,
        examples.as_of_date,

        -- How long ago, and how regularly
        {{ days_since_last() }} as days_since_last_purchase,
        {{ mean_before('days_since_previous') }} as mean_days_between_purchases,
        cast(median(events.days_since_previous) as double) as median_days_between_purchases,
        cast({{ max_before('days_since_previous') }} as int) as max_days_between_purchases,
        {{ ratio(days_since_last(), mean_before('days_since_previous')) }} as absence_ratio,

        -- How often
        cast({{ sum_before('count_baskets', days=7) }} as int) as count_baskets_7d,
        cast({{ sum_before('count_baskets', days=28) }} as int) as count_baskets_28d,
        cast({{ sum_before('count_baskets', days=56) }} as int) as count_baskets_56d,
        {{ count_before(days=28) }} as count_purchase_days_28d,
        {{ count_before(days=56) }} as count_purchase_days_56d,
        {{ ratio(distinct_before('floor((' ~ days_ago() ~ ' - 1) / 7)', days=56), 8) }} as purchase_week_share_56d,

        -- How much
        {{ sum_before('sales_value', days=7) }} as sales_value_7d,
        {{ sum_before('sales_value', days=28) }} as sales_value_28d,
        {{ sum_before('sales_value', days=56) }} as sales_value_56d,
        {{ ratio(sum_before('sales_value * 7'), days_since_first()) }} as sales_value_per_week,
        {{ ratio(sum_before('sales_value', days=28), sum_before('sales_value', days=56)) }} as recent_sales_share_56d,
        {{ ratio_before('sales_value', 'count_baskets', days=56) }} as mean_basket_value_56d,
        {{ max_before('max_basket_value', days=56) }} as max_basket_value_56d,

        -- What
        cast({{ sum_before('count_products', days=56) }} as int) as count_products_56d,
        {{ ratio_before('private_brand_sales_value', 'sales_value', days=56) }} as private_brand_share_56d,
        {{ ratio_before('fresh_sales_value', 'sales_value', days=56) }} as fresh_share_56d,
        {{ ratio_before('fuel_sales_value', 'sales_value', days=56) }} as fuel_share_56d,

        -- What the shop did for it
        {{ ratio_before('savings', 'shelf_value', days=56) }} as savings_share_56d,
        {{ ratio_before('coupon_discount', 'shelf_value', days=56) }} as coupon_share_56d
    from {{ events_before('households', 'purchase_days', entity='household_id', event_time='purchased_on') }}
    group by examples.household_id, examples.as_of_date
),

-- Stores cannot be added up over days: a store visited twice is one store.
visited as (
    select
        examples.household_id,
        examples.as_of_date,
        {{ distinct_before('store_id', days=56) }} as count_stores_56d
    from {{ events_before('households', 'purchases', entity='household_id', event_time='purchased_at', days=56) }}
    group by examples.household_id, examples.as_of_date
)

select
    bought.*,
    visited.count_stores_56d,
    departments.count_departments_56d,
    departments.top_department_56d,
    campaigns.count_running_campaigns,
    campaigns.days_since_last_campaign,
    campaigns.count_coupons_redeemed_56d,

    -- Never a feature
    coalesce(demographics.age_band, 'unknown') as age_band
from bought
left join visited on bought.household_id = visited.household_id and bought.as_of_date = visited.as_of_date
left join departments on bought.household_id = departments.household_id and bought.as_of_date = departments.as_of_date
left join campaigns on bought.household_id = campaigns.household_id and bought.as_of_date = campaigns.as_of_date
left join demographics on bought.household_id = demographics.household_id
