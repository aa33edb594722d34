{#- What each table was made from. Runs as a hook of every model, in the transaction that puts the table in its place:
    the table and the record of its loads come together or not at all, whatever is killed. Python makes the table for
    it, with the first load. -#}
{% macro record_built_from() %}
    {%- if execute and target.name == 'duckdb' and turnout.is_table(model)
        and adapter.get_relation(target.database, 'records', 'current_loads')
        and adapter.get_relation(target.database, 'records', 'built_from') -%}
        {%- set loads = [] -%}
        {%- set tables = [] -%}
        {%- for unique_id in turnout.made_from(model.unique_id) -%}
            {%- set source = graph.sources.get(unique_id) -%}
            {%- if not source -%}
                {%- do tables.append("'" ~ unique_id ~ "'") -%}
            {%- elif source.loader == 'landing' -%}
                {%- do loads.append("('" ~ source.source_name ~ "', '" ~ source.name ~ "')") -%}
            {%- endif -%}
        {%- endfor -%}
        {#- An incremental table keeps the rows of loads that it was made from before. -#}
        {%- if not is_incremental() -%}
            delete from records.built_from where model = '{{ model.unique_id }}';
        {%- endif %}
        insert into records.built_from
        select distinct
            '{{ model.unique_id }}' as model,
            load_id,
            timestamp '{{ modules.datetime.datetime.now(modules.pytz.utc).replace(tzinfo=none) }}' as built_at
        from (
            {%- if loads %}
            select load_id from records.current_loads where (source, table_name) in ({{ loads | join(', ') }})
            union all
            {%- endif %}
            select load_id from records.built_from where model in ({{ tables | join(', ') or 'null' }})
        )
        where load_id not in (select load_id from records.built_from where model = '{{ model.unique_id }}')
    {%- endif -%}
{% endmacro %}


{#- The ids of the sources and tables that a node is made from. Views hold no rows, so they are looked through. -#}
{% macro made_from(unique_id) %}
    {%- set found = [] -%}
    {%- for parent in graph.nodes[unique_id].get('depends_on', {}).get('nodes', []) -%}
        {%- if parent in graph.sources or turnout.is_table(graph.nodes.get(parent, {})) -%}
            {%- do found.append(parent) -%}
        {%- elif parent in graph.nodes -%}
            {%- do found.extend(turnout.made_from(parent)) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found | unique | list) }}
{% endmacro %}


{% macro is_table(node) %}
    {{ return(node.get('resource_type') == 'model' and node.config.materialized in ('table', 'incremental')) }}
{% endmacro %}
