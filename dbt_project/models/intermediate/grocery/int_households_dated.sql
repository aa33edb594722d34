with

first_purchases as (
    select
        household_id,
        min(purchased_on) as first_purchased_on
    from {{ ref('int_purchase_days_aggregated') }}
    group by household_id
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates_generated') }}
)

select
    first_purchases.household_id,
    as_of_dates.as_of_date,
    first_purchases.first_purchased_on
from first_purchases
inner join as_of_dates on first_purchases.first_purchased_on < as_of_dates.as_of_date
