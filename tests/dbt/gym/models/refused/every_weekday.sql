select * from {{ as_of_dates('numbers', event_time='number', step='month', anchor='sunday') }} as calendar
