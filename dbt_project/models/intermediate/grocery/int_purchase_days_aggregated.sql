with

baskets as (
    select * from {{ ref('int_baskets_aggregated') }}
),

days as (
    select
        household_id,
        purchased_on,
        count(*) as count_baskets,
        sum(count_products) as count_products,
        max(sales_value) as max_basket_value,
        sum(sales_value) as sales_value,
        sum(loyalty_discount) as loyalty_discount,
        sum(coupon_discount) as coupon_discount,
        sum(coupon_match_discount) as coupon_match_discount,
        sum(private_brand_sales_value) as private_brand_sales_value,
        sum(fresh_sales_value) as fresh_sales_value,
        sum(fuel_sales_value) as fuel_sales_value
    from baskets
    where is_purchase
    group by household_id, purchased_on
),

sequenced as (
    select
        *,
        lag(purchased_on) over (partition by household_id order by purchased_on) as previous_purchased_on
    from days
)

select
    household_id,
    purchased_on,
    {{ dbt.datediff('previous_purchased_on', 'purchased_on', 'day') }} as days_since_previous,
    count_baskets,
    count_products,
    max_basket_value,
    sales_value,
    loyalty_discount,
    coupon_discount,
    coupon_match_discount,
    private_brand_sales_value,
    fresh_sales_value,
    fuel_sales_value
from sequenced
