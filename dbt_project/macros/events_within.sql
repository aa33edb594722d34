{#- For a FROM: each example with its events from the as-of date on and before the horizon's end, and how far the data
    reach. Examples without events keep one row, with nulls in `events`. -#}
{% macro events_within(examples, events, entity, event_time, as_of='as_of_date', reach=none, known_until=none) -%}
    {{ turnout.with_column(examples, 'as_of', as_of) }} as examples
    cross join (
        {%- if known_until is none -%}
            select max({{ event_time }}) as ends_at from {{ reach or events }}
        {%- else -%}
            select {{ turnout.cut(known_until) }} as ends_at
        {%- endif -%}
    ) as reach
    left join {{ turnout.with_column(events, 'event_at', event_time) }} as events
        on
            {{ turnout.is_same_entity('events', entity) }}
            and events.event_at >= examples.as_of
            and events.event_at < examples.as_of + interval '{{ turnout.horizon_days() }}' day
{%- endmacro %}


{#- A moment until which data are known. In a past without later events, that is the as-of date at most. -#}
{% macro cut(known_until) -%}
    {%- set audited = turnout.audited_as_of() if var('label_window') is none -%}
    {%- set moment = 'cast(' ~ known_until ~ ' as timestamp)' -%}
    {{ 'least(' ~ moment ~ ", timestamp '" ~ audited ~ "')" if audited else moment }}
{%- endmacro %}


{#- The label, for a SELECT from `events_within` that is grouped by the examples' key: null until it has matured. The
    moments are the same in all rows of a group; an aggregate only spares them the GROUP BY. -#}
{% macro label_within(outcome) -%}
    case
        when max(reach.ends_at) >= max(examples.as_of) + interval '{{ turnout.horizon_days() }}' day then {{ outcome }}
    end
{%- endmacro %}


{#- How far the prediction that is being built looks ahead, from its declaration, so that SQL and YAML agree. -#}
{% macro horizon_days() %}
    {%- if not execute -%}
        {{ return(0) }}  {#- While dbt only looks for references, it has not read the declarations yet. -#}
    {%- endif -%}
    {%- if model.tested_node_unique_id -%}
        {%- do exceptions.raise_compiler_error(
            'The unit test "' ~ model.name ~ '" does not say how far ahead its model looks. In a unit test, dbt shows '
            ~ 'macros no declaration: add "overrides: { macros: { turnout.horizon_days: … } }" to it, with the '
            ~ 'horizon_days that the model declares.'
        ) -%}
    {%- endif -%}
    {%- set days = ((model.config.meta or {}).prediction or {}).horizon_days -%}
    {%- if not days -%}
        {%- do exceptions.raise_compiler_error(
            'The model "' ~ model.name ~ '" asks for horizon_days() and declares none. A label looks ahead exactly as '
            ~ 'far as its prediction declares, because training keeps that distance from the holdout: '
            ~ 'add config.meta.prediction with horizon_days to the YAML of the model that has the label.'
        ) -%}
    {%- endif -%}
    {{ return(days) }}
{% endmacro %}
