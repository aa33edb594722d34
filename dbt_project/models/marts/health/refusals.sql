with

refused as (
    select
        load_id,
        source,
        table_name,
        -- What follows the colon quotes the row.
        split_part(reason, ': ', 1) as reason
    from {{ source('records', 'refused_rows') }}
),

loads as (
    select * from {{ ref('loads') }}
)

select
    refused.load_id,
    refused.source,
    refused.table_name,
    loads.arrived_at,
    refused.reason,
    count(*) as row_count
from refused
inner join loads
    on
        refused.load_id = loads.load_id
        and refused.source = loads.source
        and refused.table_name = loads.table_name
group by refused.load_id, refused.source, refused.table_name, loads.arrived_at, refused.reason
