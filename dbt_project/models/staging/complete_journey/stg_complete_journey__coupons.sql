-- The source repeats 4,872 of its lines word for word.
select distinct
    coupon_upc,
    product_id,
    campaign_id
from {{ source('complete_journey', 'coupons') }}
