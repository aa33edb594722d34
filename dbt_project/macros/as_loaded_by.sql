{#- The time, UTC, by which loads count in this run: the variable `as_loaded_by`. None, if it is not given. -#}
{% macro as_loaded_by() %}
    {%- set time = var('as_loaded_by') -%}
    {%- if time is none -%}
        {{ return(none) }}
    {%- endif -%}
    {%- if target.name != 'audit' -%}
        {%- do exceptions.raise_compiler_error(
            'as_loaded_by is given, and the target is ' ~ target.name ~ '. '
            ~ 'Tables made from an earlier state of the data must not take the place of those in use: '
            ~ 'add "--target audit", or leave as_loaded_by out.'
        ) -%}
    {%- endif -%}
    {#- DuckDB would ignore an offset from UTC without a word. -#}
    {%- if not modules.re.match(
        '\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}([.]\d{1,6})?)?)?(Z|[+]00:00)?$', time | string
    ) -%}
        {{ turnout.refuse_as_loaded_by(time) }}
    {%- endif -%}
    {%- if flags.WHICH == 'show' -%}
        {%- do exceptions.raise_compiler_error(
            'as_loaded_by is given, and "dbt show" does not make the views that it needs, so it would show another '
            ~ 'time: build the models with "dbt build", then show them without as_loaded_by.'
        ) -%}
    {%- endif -%}
    {{ return(time | string) }}
{% endmacro %}


{% macro refuse_as_loaded_by(time) %}
    {%- do exceptions.raise_compiler_error(
        'as_loaded_by is "' ~ time ~ '", which is not a timestamp. '
        ~ 'It decides which loads count, so it must be exact: '
        ~ 'write a day and a time in UTC, such as "2026-11-20 12:00" or "2026-11-20 12:00:00.123456".'
    ) -%}
{% endmacro %}
