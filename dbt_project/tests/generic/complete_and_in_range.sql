{#- Rows of which a column that is always known is null, or a value lies outside its range; `wrong` says what it is. One
    look at the table, instead of one for each column. Null is no value, hence in every range. -#}
{% test complete_and_in_range(model, never_null=[], ranges=[]) %}
{%- set faults = [] -%}
{%- for column in never_null -%}
    {%- do faults.append(column ~ ' is null') -%}
{%- endfor -%}
{%- for limits in ranges -%}
    {%- if limits.keys() | reject('in', ['columns', 'min_value', 'max_value']) | list
        or not limits.columns or limits.min_value is not defined and limits.max_value is not defined -%}
        {{ exceptions.raise_compiler_error(
            'complete_and_in_range: a range has columns, and min_value, max_value or both, unlike ' ~ limits ~ '.') }}
    {%- endif -%}
    {%- for column in limits.columns -%}
        {%- if limits.min_value is defined -%}
            {%- do faults.append(column ~ ' < ' ~ limits.min_value) -%}
        {%- endif -%}
        {%- if limits.max_value is defined -%}
            {%- do faults.append(column ~ ' > ' ~ limits.max_value) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endfor -%}
{%- if not faults -%}
    {{ exceptions.raise_compiler_error('complete_and_in_range needs never_null, ranges or both.') }}
{%- endif -%}
select
    *,
    concat_ws(
        ', '
        {%- for fault in faults %},
        case when {{ fault }} then '{{ fault | replace("'", "''") }}' end
        {%- endfor %}
    ) as wrong
from {{ model }}
where
    {{ faults | join('\n    or ') }}
{% endtest %}
