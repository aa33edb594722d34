{#- For a FROM: each example with the last row of its history strictly before the as-of date. Examples without history
    keep their row, with nulls in `history`. The tie breaker orders rows of one time, of which the last counts. -#}
{% macro latest_before(examples, history, entity, event_time, as_of='as_of_date', tie_breaker=none) -%}
    {%- set key = entity if entity is string else entity | join(', ') -%}
    {%- set order = event_time if tie_breaker is none else event_time ~ ', ' ~ tie_breaker -%}
    {{ examples }} as examples
    left join (
        select
            {{ event_time }} as event_at,
            lead({{ event_time }}) over (partition by {{ key }} order by {{ order }}) as next_at,
            *
        from {{ history }}
    ) as history
        on
            {{ turnout.is_same_entity('history', entity) }}
            and history.event_at < examples.{{ as_of }}
            and (history.next_at >= examples.{{ as_of }} or history.next_at is null)
{%- endmacro %}
