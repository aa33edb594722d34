with

lines as (
    select * from {{ ref('stg_complete_journey__transaction_lines') }}
),

products as (
    select * from {{ ref('stg_complete_journey__products') }}
),

aggregated as (
    select
        lines.basket_id,
        lines.household_id,
        lines.store_id,
        lines.purchased_at,
        count(*) as count_lines,
        count(case when lines.sales_value > 0 then 1 end) as count_products,
        sum(lines.sales_value) as sales_value,
        sum(lines.loyalty_discount) as loyalty_discount,
        sum(lines.coupon_discount) as coupon_discount,
        sum(lines.coupon_match_discount) as coupon_match_discount,
        sum(case when products.is_private_brand then lines.sales_value else 0 end) as private_brand_sales_value,
        sum(case when products.is_fresh then lines.sales_value else 0 end) as fresh_sales_value,
        sum(case when products.is_fuel then lines.sales_value else 0 end) as fuel_sales_value
    from lines
    -- Some lines are of products that are not listed; their money counts all the same.
    left join products on lines.product_id = products.product_id
    group by lines.basket_id, lines.household_id, lines.store_id, lines.purchased_at
)

select
    *,
    cast(purchased_at as date) as purchased_on,
    sales_value > 0 as is_purchase
from aggregated
