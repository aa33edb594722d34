{#- Each with what the test in Python makes of the same words. -#}
with

visits as (
    select * from {{ source('gym', 'visits') }}
)

{% for name, arguments in {
    'sundays': {'anchor': 'sunday', 'history_days': 28},
    'mondays': {},
    'fortnights': {'every': 2, 'anchor': '2031-05-07'},
    'days': {'step': 'day', 'ends_on': "date '2024-03-02'"},
    'firsts': {'step': 'month'},
    'lasts': {'step': 'month', 'anchor': '2023-10-31'},
    'years': {'step': 'year', 'anchor': '2000-02-29'},
}.items() -%}
    select '{{ name }}' as calendar, as_of_date
    from {{ as_of_dates('visits', event_time='visited_at', **arguments) }} as calendar
    {{ 'union all' if not loop.last }}
{% endfor %}
