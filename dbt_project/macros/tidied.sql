{#- Text as people mean it: upper case, single blanks, none at the ends; null if nothing is left. Three rounds make one
    blank of up to eight, without a pattern, which engines replace once or everywhere as they like. -#}
{% macro tidied(text) -%}
    nullif(trim(replace(replace(replace(upper({{ text }}), '    ', ' '), '  ', ' '), '  ', ' ')), '')
{%- endmacro %}


{#- The same without the dots, commas and number signs that one clerk writes and another does not. -#}
{% macro tidied_name(text) -%}
    {{ turnout.tidied("translate(" ~ text ~ ", '.,#', '')") }}
{%- endmacro %}


{#- A last name without JR, SR, II and the like behind it, and that suffix alone; null where there is none. -#}
{% macro without_suffix(name) -%}
    nullif(regexp_replace({{ turnout.tidied_name(name) }}, ' (JR|SR|II|III|IV|V)$', ''), '')
{%- endmacro %}


{% macro suffix_of(name) -%}
    nullif(regexp_extract({{ turnout.tidied_name(name) }}, ' (JR|SR|II|III|IV|V)$', 1), '')
{%- endmacro %}


{#- The first five digits of a postcode; null if it is shorter. -#}
{% macro five_digits(postcode) -%}
    case when length(trim({{ postcode }})) >= 5 then left(trim({{ postcode }}), 5) end
{%- endmacro %}
