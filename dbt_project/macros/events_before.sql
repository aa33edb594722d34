{#- For a FROM: each example with its events strictly before the as-of date. Whatever is aggregated above it, by the
    macros below or by hand, cannot see the future. Examples without events keep one row, with nulls in `events`. -#}
{% macro events_before(examples, events, entity, event_time, as_of='as_of_date', days=none) -%}
    {{- turnout.require_days(days) -}}
    {{ turnout.with_column(examples, 'as_of', as_of) }} as examples
    left join {{ turnout.with_column(events, 'event_at', event_time) }} as events
        on
            {{ turnout.is_same_entity('events', entity) }}
            and events.event_at < examples.as_of
            {%- if days is not none %}
            and events.event_at >= examples.as_of - interval '{{ days }}' day
            {%- endif %}
{%- endmacro %}


{#- The aggregates, for a SELECT from `events_before` that is grouped by the examples' key. -#}
{% macro count_before(days=none, where=none) -%}
    cast(count({{ turnout.in_window('1', days, where) }}) as int)
{%- endmacro %}


{% macro distinct_before(value, days=none, where=none) -%}
    cast(count(distinct {{ turnout.in_window(value, days, where) }}) as int)
{%- endmacro %}


{% macro sum_before(value, days=none, where=none) -%}
    cast(coalesce(sum({{ turnout.in_window(value, days, where) }}), 0) as double)
{%- endmacro %}


{#- One sum over another. -#}
{% macro ratio_before(numerator, denominator, days=none, where=none) -%}
    {{ turnout.ratio(turnout.sum_before(numerator, days, where), turnout.sum_before(denominator, days, where)) }}
{%- endmacro %}


{#- A sum over a count: an engine's own mean of decimals is rounded as it likes. -#}
{% macro mean_before(value, days=none, where=none) -%}
    {%- set values = turnout.in_window(value, days, where) -%}
    {{ turnout.ratio('sum(' ~ values ~ ')', 'count(' ~ values ~ ')') }}
{%- endmacro %}


{% macro min_before(value, days=none, where=none) -%}
    cast(min({{ turnout.in_window(value, days, where) }}) as double)
{%- endmacro %}


{% macro max_before(value, days=none, where=none) -%}
    cast(max({{ turnout.in_window(value, days, where) }}) as double)
{%- endmacro %}


{% macro share_before(condition, value='1', days=none, where=none) -%}
    {%- set part = condition if where is none else where ~ ') and (' ~ condition -%}
    {{ turnout.ratio(turnout.sum_before(value, days, part), turnout.sum_before(value, days, where)) }}
{%- endmacro %}


{% macro days_since_last(where=none) -%}
    cast(min({{ turnout.in_window(turnout.days_ago(), none, where) }}) as int)
{%- endmacro %}


{% macro days_since_first(where=none) -%}
    cast(max({{ turnout.in_window(turnout.days_ago(), none, where) }}) as int)
{%- endmacro %}


{#- Midnights between an event and the as-of date: 1 is the day before it, whatever the hour. -#}
{% macro days_ago() -%}
    {{ dbt.datediff('events.event_at', 'examples.as_of', 'day') }}
{%- endmacro %}


{#- A value where the event is in the window, null elsewhere. The row of an example without events is in no window. -#}
{% macro in_window(value, days, where) -%}
    {{- turnout.require_days(days) -}}
    case when events.event_at
        {%- if days is none %} is not null{% else %} >= examples.as_of - interval '{{ days }}' day{% endif %}
        {%- if where is not none %} and ({{ where }}){% endif %} then {{ value }} end
{%- endmacro %}


{% macro require_days(days) -%}
    {%- if execute and days is not none and (days is not integer or days < 1) -%}
        {%- do exceptions.raise_compiler_error(
            'days is ' ~ days ~ '. A window is whole days that end at the as-of date: '
            ~ 'write a whole number, at least 1, without quotes, or leave days out for all that was before.'
        ) -%}
    {%- endif -%}
{%- endmacro %}


{#- A table with one of its columns under another name as well. That name stands first, because a table that has it
    already, for something else, would take its place without a word in DuckDB. -#}
{% macro with_column(relation, name, column) -%}
    (select {% if name != column %}{{ column }} as {{ name }}, {% endif %}* from {{ relation }})
{%- endmacro %}


{% macro is_same_entity(alias, entity) -%}
    {%- for column in ([entity] if entity is string else entity) -%}
        {%- if not loop.first %} and {% endif -%}
        examples.{{ column }} = {{ alias }}.{{ column }}
    {%- endfor -%}
{%- endmacro %}
