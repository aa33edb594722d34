select distinct
    history.state,
    history.county,
    history.election_date,
    elections.as_of_date,
    elections.election_kind
from {{ ref('int_vote_history_unioned') }} as history
inner join {{ ref('int_elections_dated') }} as elections
    on history.state = elections.state and history.election_date = elections.election_date
