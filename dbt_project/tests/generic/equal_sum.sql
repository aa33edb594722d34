{#- The sum of a column equals the sum of a column elsewhere, exactly: meant for decimals, where money adds up to the
    cent. An empty table sums to zero. -#}
{% test equal_sum(model, column_name, to, field) %}
select here.total as total_here, there.total as total_there
from (select coalesce(sum({{ column_name }}), 0) as total from {{ model }}) as here
cross join (select coalesce(sum({{ field }}), 0) as total from {{ to }}) as there
where here.total <> there.total
{% endtest %}
