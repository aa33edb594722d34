{#- With the variable `as_loaded_by`, `label_window` or `audited_share`: makes a view of each source table that the
    selection reads, with what was known of it. -#}
{% macro show_sources_as_known() %}
    {%- if execute and flags.WHICH in ('run', 'build', 'test', 'snapshot')
        and (turnout.as_loaded_by() is not none or var('label_window') is not none
            or var('audited_share') is not none) -%}
        {%- if target.name != 'audit' -%}
            {%- do exceptions.raise_compiler_error(
                'label_window is given, and the target is ' ~ target.name ~ ', whose tables are in use: '
                ~ 'the leakage audit gives it with the target audit.'
            ) -%}
        {%- endif -%}
        {{ turnout.require_selected_parents() }}

        {%- set read = [] -%}
        {%- for source in graph.sources.values() if turnout.is_shown_as_known(source) -%}
            {%- if turnout.is_read_by_selection(source.unique_id) -%}
                {%- do read.append(source) -%}
            {%- endif -%}
        {%- endfor -%}
        {{ turnout.require_loads_by_then(read) }}

        {%- set statements = [] -%}
        {%- for source in read -%}
            {%- set relation = api.Relation.create(source.database, source.schema, source.identifier) -%}
            {%- set shown = relation.incorporate(path={'schema': turnout.schema_as_known(source.schema)}) -%}
            {%- do statements.append('create schema if not exists ' ~ shown.without_identifier()) -%}
            {%- if source.loader == 'landing' and turnout.as_loaded_by() is not none -%}
                {%- set known = turnout.as_loaded(relation) -%}
            {%- elif source.config.event_time is not none and var('label_window') is not none -%}
                {%- set known = turnout.around_label(relation, source.config.event_time) -%}
            {%- else -%}
                {%- set known = 'select * from ' ~ relation -%}
            {%- endif -%}
            {%- set known = turnout.cut_to_share(known, source) if turnout.is_cut_to_share(source) else known -%}
            {%- do statements.append('create or replace view ' ~ shown ~ ' as ' ~ known) -%}
        {%- endfor -%}
        {%- if statements -%}
            {%- do run_query(statements | join(';\n')) -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{#- The rows that were in force at the time, from the history that the loader keeps in the schema `loads`. -#}
{% macro as_loaded(relation) -%}
    {%- set time = "timestamp '" ~ turnout.as_loaded_by() ~ "'" -%}
    {%- set history = relation.incorporate(path={'schema': 'loads'}) -%}
    select {{ turnout.columns_without(history, '_replaced_at') }} from {{ history }}
    where _loaded_at <= {{ time }} and (_replaced_at is null or _replaced_at > {{ time }})
{%- endmacro %}


{#- What a label may see, and the past without most of what happened shortly before, so that a label that looks there
    comes out differently while entities and as-of dates are still there. Of what is after the horizon one row stays: it
    shows that the data reach that far. -#}
{% macro around_label(relation, event_time) -%}
    {%- set window = var('label_window') -%}
    select * from {{ relation }} as known
    where
        {{ event_time }} < least(
            timestamp '{{ window.left_out_from }}',
            (select max({{ event_time }}) from {{ relation }} where {{ event_time }} < timestamp '{{ window.starts }}')
        )
        or ({{ event_time }} < timestamp '{{ window.starts }}' and {{ turnout.is_one_in_four(relation, 'known') }})
        or ({{ event_time }} >= timestamp '{{ window.starts }}' and {{ event_time }} < timestamp '{{ window.ends }}')
    union all
    (
        select * from {{ relation }}
        where {{ event_time }} >= timestamp '{{ window.ends }}'
        order by {{ event_time }}
        limit 1
    )
{%- endmacro %}


{#- The rows of the entities that the audit looks at. What shows that the data reach the label's horizon stays. -#}
{% macro cut_to_share(known, source) -%}
    select * from ({{ known }}) as known
    where
        {{ var('audited_share').condition | replace('{entity}', adapter.quote(var('audited_share').entity)) }}
        {%- if var('label_window') is not none and source.config.event_time is not none %}
        or {{ source.config.event_time }} >= timestamp '{{ var('label_window').ends }}'
        {%- endif %}
{%- endmacro %}


{#- For a SELECT: all columns of a relation but one. -#}
{% macro columns_without(relation, column) -%}
    {{ return(adapter.dispatch('columns_without', 'turnout')(relation, column)) }}
{%- endmacro %}


{% macro duckdb__columns_without(relation, column) -%}
    * exclude ({{ column }})
{%- endmacro %}


{% macro default__columns_without(relation, column) -%}
    {{ adapter.get_columns_in_relation(relation) | rejectattr('name', 'equalto', column) | map(attribute='quoted')
        | join(', ') }}
{%- endmacro %}


{#- For a WHERE: whether a row of a relation, which has the alias, is of a fourth that only its values decide. -#}
{% macro is_one_in_four(relation, alias) -%}
    {{ return(adapter.dispatch('is_one_in_four', 'turnout')(relation, alias)) }}
{%- endmacro %}


{% macro duckdb__is_one_in_four(relation, alias) -%}
    hash({{ alias }}) % 4 = 0
{%- endmacro %}


{% macro default__is_one_in_four(relation, alias) -%}
    {%- set values = [] -%}
    {%- for column in adapter.get_columns_in_relation(relation) -%}
        {%- do values.append(
            'coalesce(cast(' ~ alias ~ '.' ~ column.quoted ~ ' as ' ~ dbt.type_string() ~ "), '')"
        ) -%}
    {%- endfor -%}
    left({{ dbt.hash(dbt.concat(values)) }}, 1) in ('0', '4', '8', 'c')
{%- endmacro %}


{#- Stops a run in words when a table had no load yet: no view could tell what was known then. -#}
{% macro require_loads_by_then(sources) %}
    {%- set time = turnout.as_loaded_by() -%}
    {%- if time is none -%}
        {{ return('') }}
    {%- endif -%}
    {%- if run_query("select try_cast('" ~ time ~ "' as timestamp)").rows[0][0] is none -%}
        {{ turnout.refuse_as_loaded_by(time) }}
    {%- endif -%}
    {%- set first_loads = {} -%}
    {%- for row in (run_query(
        'select source, table_name, cast(min(loaded_at) as varchar), min(loaded_at) <= timestamp \'' ~ time
        ~ '\' from records.loads group by source, table_name'
    ).rows if sources else []) -%}
        {%- do first_loads.update({row[0] ~ '.' ~ row[1]: {'loaded_at': row[2], 'counts': row[3]}}) -%}
    {%- endfor -%}
    {%- set missing = [] -%}
    {%- for source in sources -%}
        {%- set name = source.source_name ~ '.' ~ source.name -%}
        {%- if name not in first_loads or not adapter.get_relation(source.database, 'loads', source.identifier) -%}
            {%- do missing.append(name ~ ' (never loaded)') -%}
        {%- elif not first_loads[name].counts -%}
            {%- do missing.append(name ~ ' (first loaded ' ~ first_loads[name].loaded_at ~ ')') -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if missing -%}
        {%- do exceptions.raise_compiler_error(
            'as_loaded_by is "' ~ turnout.as_loaded_by() ~ '", when there was no load yet of '
            ~ missing | sort | join(', ') ~ '. What was known of a table before its first load cannot be shown: '
            ~ 'name a later time (UTC), or select only models that do not read these tables.'
        ) -%}
    {%- endif -%}
{% endmacro %}


{#- Stops a run in words when a selected model reads one that is not selected, and so was built at another time. -#}
{% macro require_selected_parents() %}
    {%- set missing = [] -%}
    {%- for selected_id in selected_resources if selected_id.startswith('model.') -%}
        {%- for parent in graph.nodes[selected_id].depends_on.nodes
            if parent.startswith('model.') and parent not in selected_resources -%}
            {%- do missing.append(graph.nodes[parent].name) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if missing -%}
        {%- do exceptions.raise_compiler_error(
            'as_loaded_by is given, and models are selected without ' ~ missing | unique | sort | join(', ')
            ~ ', which they are made from. They would read what an earlier run has left there: '
            ~ 'select each with a plus in front, which adds what it is made from.'
        ) -%}
    {%- endif -%}
{% endmacro %}
