{#- Rows whose combination of columns does not occur in another table: a foreign key of several columns. -#}
{% test combination_exists(model, columns, to) %}
select {{ columns | join(', ') }}
from {{ model }}
except
select {{ columns | join(', ') }}
from {{ to }}
{% endtest %}
