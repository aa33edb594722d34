select
    product_id,
    manufacturer_id,
    department,
    product_category,
    product_type,
    package_size,
    brand = 'Private' as is_private_brand,
    department in ('PRODUCE', 'MEAT', 'SEAFOOD', 'DELI', 'PASTRY', 'SALAD BAR', 'CHEF SHOPPE') as is_fresh,
    department = 'FUEL' as is_fuel
from {{ source('complete_journey', 'products') }}
