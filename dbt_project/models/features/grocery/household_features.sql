with

households as (
    select * from {{ ref('int_households_dated') }}
),

purchases as (
    select
        *,
        sales_value_56d + loyalty_discount_56d + coupon_match_discount_56d as shelf_value_56d,
        loyalty_discount_56d + coupon_match_discount_56d + coupon_discount_56d as savings_56d
    from {{ ref('int_purchases_windowed') }}
),

departments as (
    select * from {{ ref('int_departments_windowed') }}
),

campaigns as (
    select * from {{ ref('int_campaigns_windowed') }}
),

demographics as (
    select * from {{ ref('stg_complete_journey__demographics') }}
)

select
    households.household_id,
    households.as_of_date,

    -- How long ago, and how regularly
    cast(purchases.days_since_last_purchase as int) as days_since_last_purchase,
    cast(purchases.mean_days_between_purchases as double) as mean_days_between_purchases,
    cast(purchases.median_days_between_purchases as double) as median_days_between_purchases,
    cast(purchases.max_days_between_purchases as int) as max_days_between_purchases,
    {{ ratio('purchases.days_since_last_purchase', 'purchases.mean_days_between_purchases') }} as absence_ratio,

    -- How often
    cast(purchases.count_baskets_7d as int) as count_baskets_7d,
    cast(purchases.count_baskets_28d as int) as count_baskets_28d,
    cast(purchases.count_baskets_56d as int) as count_baskets_56d,
    cast(purchases.count_purchase_days_28d as int) as count_purchase_days_28d,
    cast(purchases.count_purchase_days_56d as int) as count_purchase_days_56d,
    {{ ratio('purchases.count_purchase_weeks_56d', '8') }} as purchase_week_share_56d,

    -- How much
    cast(purchases.sales_value_7d as double) as sales_value_7d,
    cast(purchases.sales_value_28d as double) as sales_value_28d,
    cast(purchases.sales_value_56d as double) as sales_value_56d,
    {{ ratio('purchases.sales_value_all * 7', 'purchases.days_since_first_purchase') }} as sales_value_per_week,
    {{ ratio('purchases.sales_value_28d', 'purchases.sales_value_56d') }} as recent_sales_share_56d,
    {{ ratio('purchases.sales_value_56d', 'purchases.count_baskets_56d') }} as mean_basket_value_56d,
    cast(purchases.max_basket_value_56d as double) as max_basket_value_56d,

    -- What and where
    cast(purchases.count_products_56d as int) as count_products_56d,
    cast(purchases.count_stores_56d as int) as count_stores_56d,
    cast(coalesce(departments.count_departments_56d, 0) as int) as count_departments_56d,
    coalesce(departments.top_department_56d, 'none') as top_department_56d,
    {{ ratio('purchases.private_brand_sales_value_56d', 'purchases.sales_value_56d') }} as private_brand_share_56d,
    {{ ratio('purchases.fresh_sales_value_56d', 'purchases.sales_value_56d') }} as fresh_share_56d,
    {{ ratio('purchases.fuel_sales_value_56d', 'purchases.sales_value_56d') }} as fuel_share_56d,

    -- What the shop did for it
    {{ ratio('purchases.savings_56d', 'purchases.shelf_value_56d') }} as savings_share_56d,
    {{ ratio('purchases.coupon_discount_56d', 'purchases.shelf_value_56d') }} as coupon_share_56d,
    cast(campaigns.count_running_campaigns as int) as count_running_campaigns,
    cast(campaigns.days_since_last_campaign as int) as days_since_last_campaign,
    cast(campaigns.count_coupons_redeemed_56d as int) as count_coupons_redeemed_56d,

    -- Never a feature
    coalesce(demographics.age_band, 'unknown') as age_band
from households
inner join purchases
    on
        households.household_id = purchases.household_id
        and households.as_of_date = purchases.as_of_date
inner join campaigns
    on
        households.household_id = campaigns.household_id
        and households.as_of_date = campaigns.as_of_date
left join departments
    on
        households.household_id = departments.household_id
        and households.as_of_date = departments.as_of_date
left join demographics on households.household_id = demographics.household_id
