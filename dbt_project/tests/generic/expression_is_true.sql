{#- Rows of which a statement does not hold. Null does not hold either: where null is fine, the statement says so. -#}
{% test expression_is_true(model, expression) %}
select *
from {{ model }}
where coalesce({{ expression }}, false) = false
{% endtest %}
