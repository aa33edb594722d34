with

purchases as (
    select * from {{ ref('int_baskets_aggregated') }}
    where is_purchase
)

-- The first as-of date has the longest window that every household needs behind it.
select as_of_date
from {{ as_of_dates(
    'purchases', event_time='purchased_on', step='week', anchor='sunday', history_days=56
) }} as sundays
