with

households as (
    select * from {{ ref('int_households_dated') }}
),

days as (
    select * from {{ ref('int_department_days_aggregated') }}
),

departments as (
    select
        households.household_id,
        households.as_of_date,
        days.department,
        sum(days.sales_value) as sales_value
    from households
    inner join days
        on
            households.household_id = days.household_id
            and households.as_of_date > days.purchased_on
            and households.as_of_date - interval '56' day <= days.purchased_on
    group by households.household_id, households.as_of_date, days.department
),

-- Departments of equal sales rank by name, so that the top one is always the same.
ranked as (
    select
        *,
        row_number() over (partition by household_id, as_of_date order by sales_value desc, department asc) as place
    from departments
)

select
    household_id,
    as_of_date,
    count(*) as count_departments_56d,
    max(case when place = 1 then department end) as top_department_56d
from ranked
group by household_id, as_of_date
