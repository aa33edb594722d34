select
    voter_id,
    'NC' as state,
    county,
    election_date,
    ballot_party
from {{ ref('stg_north_carolina__vote_history') }}
union all
select
    voter_id,
    'OH' as state,
    county,
    election_date,
    ballot_party
from {{ ref('stg_ohio__vote_history') }}
union all
select
    voter_id,
    'FL' as state,
    county,
    election_date,
    cast(null as {{ dbt.type_string() }}) as ballot_party
from {{ ref('stg_florida__vote_history') }}
union all
select
    voter_id,
    'WA' as state,
    county,
    election_date,
    cast(null as {{ dbt.type_string() }}) as ballot_party
from {{ ref('stg_washington__vote_history') }}
