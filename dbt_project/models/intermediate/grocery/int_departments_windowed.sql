with

households as (
    select * from {{ ref('int_households_dated') }}
),

days as (
    select * from {{ ref('int_department_days_aggregated') }}
),

-- Departments of equal sales rank by name, so that the top one is always the same.
ranked as (
    select
        examples.household_id,
        examples.as_of_date,
        events.department,
        row_number() over (
            partition by examples.household_id, examples.as_of_date
            order by sum(events.sales_value) desc, events.department asc
        ) as place
    from {{ events_before('households', 'days', entity='household_id', event_time='purchased_on', days=56) }}
    group by examples.household_id, examples.as_of_date, events.department
)

select
    household_id,
    as_of_date,
    cast(count(department) as int) as count_departments_56d,
    coalesce(max(case when place = 1 then department end), 'none') as top_department_56d
from ranked
group by household_id, as_of_date
