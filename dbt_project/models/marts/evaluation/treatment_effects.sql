with

outcomes as (
    select * from {{ ref('outcomes') }}
    where basis = 'published'
),

-- What is spread within the bands, and between them, is what is spread in all.
gathered as (
    select
        *,
        sum(example_count) over of_group as group_count,
        sum(example_count * realised) over of_group / sum(example_count) over of_group as group_mean
    from outcomes
    window of_group as (partition by prediction, as_of_date, is_treated)
),

groups as (
    select
        prediction,
        as_of_date,
        is_treated,
        group_count,
        group_mean,
        sum(
            (example_count - 1) * coalesce(realised_stddev, 0) * coalesce(realised_stddev, 0)
            + example_count * (realised - group_mean) * (realised - group_mean)
        ) / nullif(group_count - 1, 0) / group_count as variance_of_mean
    from gathered
    group by prediction, as_of_date, is_treated, group_count, group_mean
),

compared as (
    select
        treated.prediction,
        treated.as_of_date,
        treated.group_count as treated_count,
        control.group_count as control_count,
        treated.group_mean as treated_realised,
        control.group_mean as control_realised,
        treated.group_mean - control.group_mean as effect,
        1.959964 * sqrt(treated.variance_of_mean + control.variance_of_mean) as margin
    from groups as treated
    inner join groups as control
        on
            treated.prediction = control.prediction
            and treated.as_of_date = control.as_of_date
    where treated.is_treated and not control.is_treated
)

select
    prediction,
    as_of_date,
    cast(treated_count as bigint) as treated_count,
    cast(control_count as bigint) as control_count,
    treated_realised,
    control_realised,
    effect,
    effect - margin as effect_low,
    effect + margin as effect_high
from compared
