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
    window of_group as (partition by prediction, as_of_date, is_released)
),

groups as (
    select
        prediction,
        as_of_date,
        is_released,
        group_count,
        group_mean,
        sum(
            (example_count - 1) * coalesce(realised_stddev, 0) * coalesce(realised_stddev, 0)
            + example_count * (realised - group_mean) * (realised - group_mean)
        ) / nullif(group_count - 1, 0) / group_count as variance_of_mean
    from gathered
    group by prediction, as_of_date, is_released, group_count, group_mean
),

compared as (
    select
        released.prediction,
        released.as_of_date,
        released.group_count as released_count,
        held_out.group_count as held_out_count,
        released.group_mean as released_realised,
        held_out.group_mean as held_out_realised,
        released.group_mean - held_out.group_mean as effect,
        1.959964 * sqrt(released.variance_of_mean + held_out.variance_of_mean) as margin
    from groups as released
    inner join groups as held_out
        on
            released.prediction = held_out.prediction
            and released.as_of_date = held_out.as_of_date
    where released.is_released and not held_out.is_released
)

select
    prediction,
    as_of_date,
    cast(released_count as bigint) as released_count,
    cast(held_out_count as bigint) as held_out_count,
    released_realised,
    held_out_realised,
    effect,
    effect - margin as effect_low,
    effect + margin as effect_high
from compared
