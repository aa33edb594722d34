with

respondents as (
    select
        respondents.respondent_id,
        respondents.wave_id,
        respondents.known_voter_id,
        registered.voter_id as registered_voter_id,
        links.voter_id as linked_voter_id
    from {{ ref('int_poll_respondents_described') }} as respondents
    left join {{ ref('int_voters_unioned') }} as registered on respondents.known_voter_id = registered.voter_id
    left join {{ source('links', 'poll_respondents') }} as links on respondents.respondent_id = links.respondent_id
),

waves as (
    select
        wave_id,
        cast(count(*) as int) as count_respondents,
        cast(count(known_voter_id) as int) as count_with_id,
        cast(count(registered_voter_id) as int) as count_with_registered_id,
        cast(count(case when registered_voter_id is null then linked_voter_id end) as int) as count_linked,
        cast(count(case when registered_voter_id is null and linked_voter_id is null then 1 end) as int)
            as count_unmatched,
        cast(count(case when registered_voter_id is not null then linked_voter_id end) as int) as count_tried,
        cast(count(case when registered_voter_id = linked_voter_id then 1 end) as int) as count_right
    from respondents
    group by wave_id
)

select
    wave_id,
    count_respondents,
    count_with_id,
    count_with_registered_id,
    count_linked,
    count_unmatched,
    count_right as count_known_found,
    count_tried - count_right as count_known_mistaken,
    {{ ratio('count_right', 'count_tried') }} as link_precision,
    {{ ratio('count_right', 'count_with_registered_id') }} as link_recall
from waves
