{#- Creates, empty, every table that Python writes (a source with `loader: ml`), from the columns its YAML declares,
    so that `dbt build` works before the first score exists. -#}
{% macro create_tables_ml_writes() %}
    {%- if execute and flags.WHICH in ('run', 'build', 'test', 'snapshot') -%}
        {%- for source in graph.sources.values() if source.loader == 'ml' -%}
            {%- set relation = api.Relation.create(source.database, source.schema, source.identifier) -%}
            {%- do adapter.create_schema(relation) -%}
            {%- set columns = [] -%}
            {%- for column in source.columns.values() -%}
                {%- do columns.append(adapter.quote(column.name) ~ ' ' ~ column.data_type) -%}
            {%- endfor -%}
            {%- do run_query('create table if not exists ' ~ relation ~ ' (' ~ columns | join(', ') ~ ')') -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
