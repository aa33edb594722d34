with

respondents as (
    select * from {{ ref('int_poll_respondents_described') }}
),

registered as (
    select voter_id from {{ ref('int_voters_unioned') }}
),

links as (
    select * from {{ source('links', 'poll_respondents') }}
),

all_scores as (
    select * from {{ source('scores', 'voter_turnout') }}
),

scores as (
    select all_scores.*
    from all_scores
    where all_scores.as_of_date = (select max(latest.as_of_date) from all_scores as latest)
),

questions as (
    select * from {{ ref('stg_polls__questionnaires') }}
),

-- A respondent weighs as much as he or she is likely to vote; who is not found among the voters weighs nothing.
weighted as (
    select
        respondents.respondent_id,
        respondents.wave_id,
        coalesce(scores.score, 0) as weight
    from respondents
    left join registered on respondents.known_voter_id = registered.voter_id
    left join links on respondents.respondent_id = links.respondent_id
    left join scores on coalesce(registered.voter_id, links.voter_id) = scores.voter_id
),

-- A key that means nothing is no answer.
answers as (
    select
        answers.respondent_id,
        answers.wave_id,
        answers.question_number,
        answers.answer_key,
        weighted.weight
    from {{ ref('stg_polls__answers') }} as answers
    inner join questions
        on
            answers.wave_id = questions.wave_id
            and answers.question_number = questions.question_number
            and answers.answer_key = questions.answer_key
    inner join weighted on answers.respondent_id = weighted.respondent_id
),

of_questions as (
    select
        wave_id,
        question_number,
        count(*) as count_answered,
        sum(weight) as weight,
        sum(weight) * sum(weight) / nullif(sum(weight * weight), 0) as effective_sample_size
    from answers
    group by wave_id, question_number
),

of_answers as (
    select
        wave_id,
        question_number,
        answer_key,
        count(*) as count_respondents,
        sum(weight) as weight
    from answers
    group by wave_id, question_number, answer_key
),

shares as (
    select
        questions.wave_id,
        questions.question_number,
        questions.question,
        questions.wording,
        questions.answer_key,
        questions.meaning as answer,
        cast(coalesce(of_answers.count_respondents, 0) as int) as count_respondents,
        {{ ratio('coalesce(of_answers.count_respondents, 0)', 'of_questions.count_answered') }} as unweighted_share,
        {{ ratio('coalesce(of_answers.weight, 0)', 'of_questions.weight') }} as weighted_share,
        of_questions.effective_sample_size
    from questions
    left join of_questions
        on
            questions.wave_id = of_questions.wave_id
            and questions.question_number = of_questions.question_number
    left join of_answers
        on
            questions.wave_id = of_answers.wave_id
            and questions.question_number = of_answers.question_number
            and questions.answer_key = of_answers.answer_key
)

select
    *,
    -- 1.96 standard errors to either side hold 95 % of a normal distribution.
    1.96 * sqrt(greatest(weighted_share * (1 - weighted_share), 0) / effective_sample_size) as margin_of_error
from shares
