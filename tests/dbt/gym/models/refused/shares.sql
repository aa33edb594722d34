select 1 as number, 0.0 as share
union all
select 2 as number, 1.0 as share
union all
select 3 as number, null as share
union all
select 4 as number, 1.5 as share
union all
select null as number, -0.5 as share
