select
    'NC-' || trim(ncid) as voter_id,
    election_lbl as election_date,
    max({{ tidied('county_desc') }}) as county,
    max(case when voted_party_cd in ('DEM', 'REP') then voted_party_cd end) as ballot_party
from {{ source('north_carolina', 'ncvhis') }}
group by ncid, election_lbl
