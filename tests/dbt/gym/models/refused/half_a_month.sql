select * from {{ as_of_dates('numbers', event_time='number', step='month', every=0.5) }} as calendar
