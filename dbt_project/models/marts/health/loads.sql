with

accepted as (
    select * from {{ source('records', 'loads') }}
),

quarantined as (
    select * from {{ source('records', 'quarantine') }}
),

checks as (
    select
        load_id,
        source,
        table_name,
        cast(count(case when not passed then 1 end) as int) as failed_checks
    from {{ source('records', 'load_checks') }}
    group by load_id, source, table_name
),

arrived as (
    select
        accepted.load_id,
        accepted.source,
        accepted.table_name,
        accepted.file_name,
        case when accepted.accepted_by is null then 'loaded' else 'accepted' end as status,
        coalesce(quarantined.quarantined_at, accepted.loaded_at) as arrived_at,
        accepted.loaded_at,
        accepted.row_count,
        accepted.refused_row_count,
        quarantined.problem as message,
        accepted.accepted_by,
        accepted.accepted_because
    from accepted
    left join quarantined
        on
            accepted.load_id = quarantined.load_id
            and accepted.source = quarantined.source
            and accepted.table_name = quarantined.table_name

    union all

    -- A file that was accepted later, when the contract had been corrected, is not in quarantine any more.
    select
        quarantined.load_id,
        quarantined.source,
        quarantined.table_name,
        quarantined.file_name,
        'quarantined' as status,
        quarantined.quarantined_at as arrived_at,
        null as loaded_at,
        null as row_count,
        null as refused_row_count,
        quarantined.problem as message,
        null as accepted_by,
        null as accepted_because
    from quarantined
    where
        not exists (
            select 1
            from accepted
            where
                quarantined.source = accepted.source
                and quarantined.table_name = accepted.table_name
                and quarantined.file_hash = accepted.file_hash
        )
)

select
    arrived.load_id,
    arrived.source,
    arrived.table_name,
    arrived.file_name,
    arrived.status,
    arrived.arrived_at,
    arrived.loaded_at,
    arrived.row_count,
    arrived.refused_row_count,
    arrived.refused_row_count / cast(arrived.row_count + arrived.refused_row_count as double) as refused_share,
    coalesce(checks.failed_checks, 0) as failed_checks,
    arrived.message,
    arrived.accepted_by,
    arrived.accepted_because
from arrived
left join checks
    on
        arrived.load_id = checks.load_id
        and arrived.source = checks.source
        and arrived.table_name = checks.table_name
