-- The first as-of date has the longest window that every household needs (56 days) behind it. The last may be the day
-- after the last purchase, so that data cut strictly before a Sunday still has that Sunday.
with

bounds as (
    select
        {{ dbt.dateadd('day', 56, 'min(purchased_on)') }} as earliest,
        {{ dbt.dateadd('day', 1, 'max(purchased_on)') }} as latest
    from {{ ref('int_baskets_aggregated') }}
    where is_purchase
),

-- Two thousand weeks are 38 years; a longer history needs a larger number here.
weeks as (
    {{ dbt.generate_series(2000) | indent(4) }}
),

-- date_trunc's weeks begin on Mondays; six days later is the Sunday on or after `earliest`.
sundays as (
    select
        bounds.latest,
        cast(
            {{ dbt.dateadd(
                'day',
                '6 + 7 * (cast(weeks.generated_number as int) - 1)',
                dbt.date_trunc('week', 'bounds.earliest')
            ) }} as date
        ) as as_of_date
    from bounds
    cross join weeks
)

select as_of_date
from sundays
where as_of_date <= latest
