{#- Creates, empty, every table that Python writes (a source with `loader: ml`), from the columns and constraints of its
    YAML, so that `dbt build` works before the first score exists. A table from before gets the columns that it lacks;
    its constraints are brought up by Python. -#}
{% macro create_tables_ml_writes() %}
    {%- if execute and flags.WHICH in ('run', 'build', 'test', 'snapshot') -%}
        {%- for source in graph.sources.values() if source.loader == 'ml' -%}
            {%- set relation = api.Relation.create(source.database, source.schema, source.identifier) -%}
            {%- do adapter.create_schema(relation) -%}
            {%- set columns = [] -%}
            {%- for column in source.columns.values() -%}
                {%- do columns.append(adapter.quote(column.name) ~ ' ' ~ column.data_type) -%}
            {%- endfor -%}
            {%- do columns.extend(source.config.meta.get('constraints', [])) -%}
            {%- do run_query('create table if not exists ' ~ relation ~ ' (' ~ columns | join(', ') ~ ')') -%}
            {%- set held = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
            {%- for column in source.columns.values() if column.name not in held -%}
                {%- do run_query(
                    'alter table ' ~ relation ~ ' add column ' ~ adapter.quote(column.name) ~ ' ' ~ column.data_type
                ) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
