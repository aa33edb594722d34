{#- Stops a run in words when the tables it would read have not been loaded yet. Only sources that the selected models,
    tests and seeds need are asked for, so a project without election data can still build its grocery part. -#}
{% macro require_landed_sources() %}
    {%- if execute and flags.WHICH in ('run', 'build', 'test', 'snapshot') -%}
        {%- set missing = [] -%}
        {%- for source in graph.sources.values() if source.loader == 'landing' -%}
            {%- if turnout.is_read_by_selection(source.unique_id)
                and not adapter.get_relation(source.database, source.schema, source.identifier) -%}
                {%- do missing.append(source.schema ~ '.' ~ source.identifier) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if missing -%}
            {%- do exceptions.raise_compiler_error(
                'The warehouse ' ~ target.path ~ ' has no ' ~ missing | sort | join(', ') ~ '. '
                ~ 'Raw tables are made by the loader, not by dbt: '
                ~ 'run "make run" in the root of the project, then this command again.'
            ) -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{% macro is_read_by_selection(source_id) %}
    {%- for selected_id in selected_resources -%}
        {%- if source_id in (graph.nodes.get(selected_id, {}).get('depends_on', {}).get('nodes', [])) -%}
            {{ return(true) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(false) }}
{% endmacro %}
