select
    product_id,
    store_id,
    week as shop_week,
    display_location as display_code,
    mailer_location as mailer_code,
    display_location <> '0' as is_displayed,
    mailer_location <> '0' as is_in_mailer
from {{ source('complete_journey', 'promotions') }}
