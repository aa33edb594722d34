{#- The names of the predictions that are declared now, as literals in SQL; an empty one if there are none. -#}
{% macro declared_predictions() %}
    {%- set names = [] -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() -%}
            {%- if node.resource_type == 'model' and node.config.get('meta', {}).get('prediction') -%}
                {%- do names.append("'" ~ node.name ~ "'") -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- (names | sort or ["''"]) | join(', ') -}}
{% endmacro %}
