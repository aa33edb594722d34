{#- dbt's own `source()`. With the variable `as_loaded_by`, tables filled from landing are read from the views that
    `show_sources_as_loaded` makes: dbt's relation in another schema, so that sample mode still cuts it. -#}
{% macro source(source_name, table_name) %}
    {%- set relation = builtins.source(source_name, table_name) -%}
    {%- if execute and turnout.as_loaded_by() is not none and not relation.is_cte -%}  {#- the CTE of a unit test -#}
        {%- set landed = graph.sources.values() | selectattr('loader', 'equalto', 'landing')
            | selectattr('source_name', 'equalto', source_name) | selectattr('name', 'equalto', table_name) | list -%}
        {%- if landed -%}
            {{ return(relation.incorporate(path={'schema': turnout.schema_as_loaded(relation.schema)})) }}
        {%- endif -%}
    {%- endif -%}
    {{ return(relation) }}
{% endmacro %}
