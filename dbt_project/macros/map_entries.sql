{#- For a SELECT: one row for each entry of a map, as `key` and `value`; a row whose map is empty goes. -#}
{% macro map_entries(column) -%}
    {{ return(adapter.dispatch('map_entries', 'turnout')(column)) }}
{%- endmacro %}


{% macro duckdb__map_entries(column) -%}
    unnest(map_keys({{ column }})) as key, unnest(map_values({{ column }})) as value
{%- endmacro %}


{% macro spark__map_entries(column) -%}
    explode({{ column }}) as (key, value)
{%- endmacro %}
