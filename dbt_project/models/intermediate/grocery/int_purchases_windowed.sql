-- What a household bought before each as-of date, by windows that end there. A day's distance from the as-of date is at
-- least one: nothing of the as-of date itself is in. Sums are decimals, so none depends on the order of its rows.
with

households as (
    select * from {{ ref('int_households_dated') }}
),

days as (
    select * from {{ ref('int_purchase_days_aggregated') }}
),

baskets as (
    select * from {{ ref('int_baskets_aggregated') }}
),

days_before as (
    select
        households.household_id,
        households.as_of_date,
        {{ dbt.datediff('days.purchased_on', 'households.as_of_date', 'day') }} as days_ago,
        days.days_since_previous,
        days.count_baskets,
        days.count_products,
        days.max_basket_value,
        days.sales_value,
        days.loyalty_discount,
        days.coupon_discount,
        days.coupon_match_discount,
        days.private_brand_sales_value,
        days.fresh_sales_value,
        days.fuel_sales_value
    from households
    inner join days
        on
            households.household_id = days.household_id
            and households.as_of_date > days.purchased_on
),

purchases as (
    select
        household_id,
        as_of_date,
        min(days_ago) as days_since_last_purchase,
        max(days_ago) as days_since_first_purchase,
        avg(days_since_previous) as mean_days_between_purchases,
        median(days_since_previous) as median_days_between_purchases,
        max(days_since_previous) as max_days_between_purchases,
        count(case when days_ago <= 28 then 1 end) as count_purchase_days_28d,
        count(case when days_ago <= 56 then 1 end) as count_purchase_days_56d,
        count(distinct case when days_ago <= 56 then floor((days_ago - 1) / 7) end) as count_purchase_weeks_56d,
        sum(case when days_ago <= 7 then count_baskets else 0 end) as count_baskets_7d,
        sum(case when days_ago <= 28 then count_baskets else 0 end) as count_baskets_28d,
        sum(case when days_ago <= 56 then count_baskets else 0 end) as count_baskets_56d,
        sum(case when days_ago <= 56 then count_products else 0 end) as count_products_56d,
        max(case when days_ago <= 56 then max_basket_value end) as max_basket_value_56d,
        sum(case when days_ago <= 7 then sales_value else 0 end) as sales_value_7d,
        sum(case when days_ago <= 28 then sales_value else 0 end) as sales_value_28d,
        sum(case when days_ago <= 56 then sales_value else 0 end) as sales_value_56d,
        sum(sales_value) as sales_value_all,
        sum(case when days_ago <= 56 then loyalty_discount else 0 end) as loyalty_discount_56d,
        sum(case when days_ago <= 56 then coupon_discount else 0 end) as coupon_discount_56d,
        sum(case when days_ago <= 56 then coupon_match_discount else 0 end) as coupon_match_discount_56d,
        sum(case when days_ago <= 56 then private_brand_sales_value else 0 end) as private_brand_sales_value_56d,
        sum(case when days_ago <= 56 then fresh_sales_value else 0 end) as fresh_sales_value_56d,
        sum(case when days_ago <= 56 then fuel_sales_value else 0 end) as fuel_sales_value_56d
    from days_before
    group by household_id, as_of_date
),

-- Stores cannot be added up over days: a store visited twice is one store.
stores as (
    select
        households.household_id,
        households.as_of_date,
        count(distinct baskets.store_id) as count_stores_56d
    from households
    inner join baskets
        on
            households.household_id = baskets.household_id
            and households.as_of_date > baskets.purchased_at
            and households.as_of_date - interval '56' day <= baskets.purchased_at
    where baskets.is_purchase
    group by households.household_id, households.as_of_date
)

select
    purchases.*,
    coalesce(stores.count_stores_56d, 0) as count_stores_56d
from purchases
left join stores
    on
        purchases.household_id = stores.household_id
        and purchases.as_of_date = stores.as_of_date
