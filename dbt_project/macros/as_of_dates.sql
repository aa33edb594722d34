{#- For a FROM: the moments from which predictions look ahead, as `as_of_date`, in equal steps from an anchor. The first
    has so many days of history behind it, the last is the day after the last event, or `ends_on`.

    While the leakage audit builds a past again, the calendar ends with the as-of date that is audited. What is known
    then is known until that date, even if the shop was closed on the day before. -#}
{% macro as_of_dates(events, event_time, step='week', every=1, anchor=none, history_days=1, ends_on=none) -%}
    {{- turnout.require_days(history_days) -}}
    {%- set days, months = turnout.length_of_step(step, every) -%}
    {%- set first = "cast('" ~ turnout.anchor_of(step, anchor) ~ "' as date)" -%}
    {%- set audited = turnout.audited_as_of() -%}
    {%- set latest = ends_on or dbt.dateadd('day', 1, 'cast(max(' ~ event_time ~ ') as date)') -%}
    {%- set latest = "'" ~ audited ~ "'" if audited is not none else latest -%}
    {%- if days -%}
        {%- set steps = dbt.datediff(first, 'latest', 'day') ~ ' / ' ~ days -%}
    {%- else -%}
        {#- Months that begin between the two; dbt.datediff counts them in another way on each engine. -#}
        {%- set month = "extract(year from {0}) * 12 + extract(month from {0})" -%}
        {%- set steps = '(' ~ month.format('latest') ~ ' - (' ~ month.format(first) ~ ')) / ' ~ months -%}
    {%- endif -%}
    (
        select as_of_date
        from (
            select
                bounds.earliest,
                bounds.latest,
                cast({{ dbt.dateadd(
                    'day' if days else 'month',
                    (days or months) ~ ' * cast(bounds.steps + 2 - numbers.generated_number as int)',
                    first
                ) }} as date) as as_of_date
            from (
                select
                    earliest,
                    latest,
                    floor({{ steps }}) as steps
                from (
                    select
                        cast({{ dbt.dateadd('day', history_days, 'cast(min(' ~ event_time ~ ') as date)') }} as date)
                            as earliest,
                        cast({{ latest }} as date) as latest
                    from {{ events }}
                ) as reach
            ) as bounds
            {# From the last one back: of a longer history than 170 years the beginning is left out, not the end. #}
            cross join ({{ dbt.generate_series((65536 / days if days else 2048 / months) | int + 2) }}) as numbers
        ) as dates
        where as_of_date >= earliest and as_of_date <= latest
    )
{%- endmacro %}


{#- A step in days and in months, of which one is 0. -#}
{% macro length_of_step(step, every) %}
    {%- set lengths = {'day': [1, 0], 'week': [7, 0], 'month': [0, 1], 'quarter': [0, 3], 'year': [0, 12]} -%}
    {%- if execute and (step not in lengths or every is not integer or every < 1) -%}
        {%- do exceptions.raise_compiler_error(
            'step is ' ~ step ~ ' and every is ' ~ every ~ '. As-of dates lie whole steps apart: write day, week, '
            ~ "month, quarter or year, and how many of them as a whole number, as in step='week', every=2."
        ) -%}
    {%- endif -%}
    {%- set length = lengths.get(step, [1, 0]) -%}
    {{ return([length[0] * every, length[1] * every]) }}
{% endmacro %}


{#- An as-of date of the calendar, as text: any one of them, perhaps long before the first. -#}
{% macro anchor_of(step, anchor) %}
    {%- set weekdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] -%}
    {%- set given = (anchor or 'monday') | string | lower -%}
    {%- if given in weekdays and (step == 'week' or anchor is none) -%}
        {#- The fifth of January 1970 was a Monday. The first of a month begins months. -#}
        {%- set day = 5 + weekdays.index(given) if step == 'week' else 1 -%}
        {{ return('1970-01-' ~ '%02d' | format(day)) }}
    {%- endif -%}
    {%- if execute and not modules.re.fullmatch('\d{4}-\d{2}-\d{2}', given) -%}
        {%- do exceptions.raise_compiler_error(
            'anchor is ' ~ anchor ~ ', and the step is a ' ~ step ~ '. It is an as-of date, as 2024-01-31, or of weeks '
            ~ 'a weekday, as sunday.'
        ) -%}
    {%- endif -%}
    {{ return(given) }}
{% endmacro %}


{#- The as-of date whose past the leakage audit builds again, as text; none in any other run. -#}
{% macro audited_as_of() %}
    {%- set audited = var('audited_as_of') -%}
    {%- if execute and audited is not none and target.name != 'audit' -%}
        {%- do exceptions.raise_compiler_error(
            'audited_as_of is given, and the target is ' ~ target.name ~ ', whose tables are in use: '
            ~ 'the leakage audit gives it with the target audit.'
        ) -%}
    {%- endif -%}
    {{ return(audited) }}
{% endmacro %}
