{#- A layer's schema is named like the layer, without dbt's usual prefix, so that people and Python read
    `features.household_features` in every warehouse. The target `audit` keeps a prefix: it must never overwrite. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name is none -%}
        {{ target.schema }}
    {%- elif target.name == 'audit' -%}
        {{ target.schema }}_{{ custom_schema_name | trim }}
    {%- else -%}
        {{ custom_schema_name | trim }}
    {%- endif -%}
{%- endmacro %}
