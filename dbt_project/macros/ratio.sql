{#- One number over another as a double; null when there is nothing to divide by. Both are turned into doubles first,
    because engines disagree about the type and the rounding of a quotient of decimals. -#}
{% macro ratio(numerator, denominator) -%}
    cast({{ numerator }} as double) / nullif(cast({{ denominator }} as double), 0)
{%- endmacro %}
