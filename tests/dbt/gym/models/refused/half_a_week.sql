select {{ count_before(days=3.5) }}
