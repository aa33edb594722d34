-- Values are whole cents in floating point; as decimals they add up exactly, in any order.
select
    basket_id,
    product_id,
    household_id,
    store_id,
    transaction_timestamp as purchased_at,
    week as shop_week,
    quantity,
    cast(sales_value as decimal(12, 2)) as sales_value,
    cast(retail_disc as decimal(12, 2)) as loyalty_discount,
    cast(coupon_disc as decimal(12, 2)) as coupon_discount,
    cast(coupon_match_disc as decimal(12, 2)) as coupon_match_discount
from {{ source('complete_journey', 'transactions') }}
