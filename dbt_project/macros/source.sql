{#- dbt's own `source()`. With the variables `as_loaded_by`, `label_window` and `audited_share`, it reads the views that
    `show_sources_as_known` makes: dbt's relation in another schema, so that sample mode still cuts it. -#}
{% macro source(source_name, table_name) %}
    {%- set relation = builtins.source(source_name, table_name) -%}
    {%- if execute and not relation.is_cte -%}  {#- the CTE of a unit test -#}
        {%- set found = graph.sources.values()
            | selectattr('source_name', 'equalto', source_name) | selectattr('name', 'equalto', table_name) | first -%}
        {%- if turnout.is_shown_as_known(found) -%}
            {{ return(relation.incorporate(path={'schema': turnout.schema_as_known(relation.schema)})) }}
        {%- endif -%}
    {%- endif -%}
    {{ return(relation) }}
{% endmacro %}


{#- Whether a source is read through a view in this run. -#}
{% macro is_shown_as_known(source) %}
    {{ return(
        (source.loader == 'landing' and turnout.as_loaded_by() is not none)
        or (source.config.event_time is not none and var('label_window') is not none)
        or turnout.is_cut_to_share(source)
    ) }}
{% endmacro %}


{#- Whether a source is read for a share of the entities alone: it names them as the examples do. -#}
{% macro is_cut_to_share(source) %}
    {{ return(
        var('audited_share') is not none and turnout.audited_as_of() is not none
        and var('audited_share').entity in source.columns
    ) }}
{% endmacro %}


{#- Where the sources of a schema are shown as they were known: audit_raw for raw. -#}
{% macro schema_as_known(schema) %}
    {{ return(turnout.generate_schema_name(schema, none) | trim) }}
{% endmacro %}
