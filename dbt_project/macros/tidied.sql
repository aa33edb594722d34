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


{#- A date of birth, or null where it stands for one that nobody knows: files of voters write 1900-01-01 or 1800-01-01
    then, and nobody who votes was born so early. -#}
{% macro known_date(column) -%}
    case when {{ column }} > date '1900-12-31' then {{ column }} end
{%- endmacro %}


{#- An address as `tidied_name` has it, or null where a word stands in its place: of a voter who was removed, or whose
    address is not published. Else all of them would live together. -#}
{% macro known_address(text) -%}
    case
        when {{ turnout.tidied_name(text) }} not in (
            'REMOVED', 'CONFIDENTIAL', 'PROTECTED', 'UNKNOWN', 'NONE', 'EXEMPT', 'WITHHELD', 'NOT AVAILABLE', 'NA',
            'N/A', '*'
        ) then {{ turnout.tidied_name(text) }}
    end
{%- endmacro %}
