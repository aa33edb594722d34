with

checks as (
    select * from {{ source('records', 'load_checks') }}
    where not is_learning_only
),

loads as (
    select * from {{ ref('loads') }}
)

select
    checks.load_id,
    checks.source,
    checks.table_name,
    loads.arrived_at,
    checks.check_name,
    checks.column_name,
    checks.value,
    checks.low,
    checks.high,
    checks.passed
from checks
inner join loads
    on
        checks.load_id = loads.load_id
        and checks.source = loads.source
        and checks.table_name = loads.table_name
