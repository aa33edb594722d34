with

lines as (
    select * from {{ ref('stg_complete_journey__transaction_lines') }}
),

products as (
    select * from {{ ref('stg_complete_journey__products') }}
)

select
    lines.household_id,
    cast(lines.purchased_at as date) as purchased_on,
    coalesce(products.department, 'UNLISTED') as department,
    sum(lines.sales_value) as sales_value
from lines
left join products on lines.product_id = products.product_id
where lines.sales_value > 0
group by lines.household_id, cast(lines.purchased_at as date), coalesce(products.department, 'UNLISTED')
