select
    customer_id,
    as_of_date,
    score as return_probability,
    is_treated as return_is_treated,
    model_version
from {{ source('scores', 'customer_return') }}
qualify as_of_date = max(as_of_date) over ()
