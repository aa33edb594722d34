select
    number,
    interval '{{ horizon_days() }}' day as horizon
from {{ ref('numbers') }}
