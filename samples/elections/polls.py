"""Polls by telephone: a machine asks, people press keys; nine waves in the three weeks before the prediction.

People who answer are a little older, learned more and vote more often than all who are registered. Whom they would
vote for depends on party, place, age and education, and those who will vote are older than those who are registered: an
unweighted result is off, and weights of likely turnout move it towards the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from samples.elections import cells, records
from samples.elections.calendar import EXTRACTED_ON
from samples.elections.layouts import CSV_DIALECT, Files
from samples.elections.names import GIVEN, NICKNAMES, SURNAMES, frequencies
from samples.elections.people import MAN, WOMAN, Block
from samples.elections.places import STATES

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from samples.elections.calendar import Election
    from samples.elections.turnout import Turnout

# Mondays, Wednesdays and Fridays.
WAVES = (
    "2024-09-16", "2024-09-18", "2024-09-20", "2024-09-23", "2024-09-25", "2024-09-27", "2024-09-30", "2024-10-02",
    "2024-10-04",
)  # fmt: skip
SMALLEST_WAVE, VOTERS_PER_RESPONDENT = 60, 200
NOT_REGISTERED = 0.04  # of the respondents
ID_KNOWN = 0.55  # of the registered ones: dialled from the state's file
OLDER = 0.003  # how much likelier a person answers for each year of age, in logs
LEARNED = 0.13  # the same for each step of education
VOTES_OFTEN = 0.15  # the same for somebody who voted in all of the last eight elections

# How what is heard differs from what is registered, as shares of the respondents whose id is not known.
NICKNAME = 0.12
MISHEARD_FIRST, MISHEARD_LAST = 0.06, 0.09
NO_FIRST_NAME = 0.02
NO_BIRTH_YEAR, WRONG_BIRTH_YEAR = 0.04, 0.04
NO_POSTCODE, WRONG_POSTCODE = 0.05, 0.05

HANGS_UP = 0.012  # at each question
REPEATS = 0.04  # presses 9 before the answer
CORRECTS = 0.012  # presses a wrong key first

QUESTIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("likely_to_vote", "How likely are you to vote in November?", ("certain", "probable", "even", "will not vote")),
    ("president", "For whom would you vote for president?", ("candidate A", "candidate B", "other", "undecided")),
    (
        "statewide_office",
        "And for the highest office of your state on the ballot?",
        ("party of candidate A", "party of candidate B", "other", "undecided"),
    ),
    ("direction", "Are things in the country going in the right direction?", ("right", "wrong", "not sure")),
    (
        "issue",
        "Which issue matters most to you?",
        ("cost of living", "immigration", "health care", "abortion", "democracy", "something else"),
    ),
    ("economy", "Will the economy be better or worse in a year?", ("better", "the same", "worse")),
    ("approval", "Do you approve of how the president does the work?", ("approve", "disapprove", "not sure")),
    ("party", "Which party do you feel close to?", ("Democratic", "Republican", "none or another")),
    ("age_band", "How old are you?", ("18 to 29", "30 to 44", "45 to 64", "65 or older")),
    ("gender", "Are you a man or a woman?", ("man", "woman", "neither")),
    ("education", "What is your highest education?", ("school", "some college", "degree", "higher degree")),
    ("language", "Which language do you speak at home?", ("English", "Spanish", "another")),
)

QUESTIONNAIRE_COLUMNS = ("wave_id", "position", "question", "wording", "key", "meaning")
RESPONDENT_COLUMNS = (
    "wave_id", "respondent_number", "called_at", "state", "voter_id", "first_name", "last_name", "birth_year",
    "postcode",
)  # fmt: skip
ANSWER_COLUMNS = ("wave_id", "respondent_number", "position", "keys")


@dataclass
class _Respondents:
    """Respondents gathered block by block; lists and arrays of one value per respondent."""

    state: list[str]
    voter_id: list[str | None]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    birth_year: NDArray[np.int64]
    postcode: NDArray[np.int64]
    answers: NDArray[np.int64]  # (n, 12): the place of the answer in its question


class Polls:
    """Draws respondents while the blocks go by, and writes the waves at the end.

    Parameters
    ----------
    voters : int
        In all states.
    seed : int
    """

    def __init__(self, voters: int, seed: int) -> None:
        self._voters, self._seed, self._seen = voters, seed, 0
        self._wave_size = max(SMALLEST_WAVE, voters // VOTERS_PER_RESPONDENT)
        self._strangers = round(self._wave_size * NOT_REGISTERED)
        self._registered = (self._wave_size - self._strangers) * len(WAVES)
        self._gathered: list[_Respondents] = []

    def call(self, block: Block, turnout: Turnout, elections: list[Election], ids: pa.Array) -> None:
        """Draw the respondents of a block.

        Parameters
        ----------
        block : Block
        turnout : Turnout
        elections : list of Election
        ids : pyarrow.Array
            The state's id of every person.
        """
        random = np.random.default_rng([self._seed, block.state.number, block.county_number, block.number, 6])
        rows = records.registrations(block, turnout, elections, EXTRACTED_ON, self._seed)
        active = np.zeros(len(block), bool)
        active[rows.person[rows.status == records.ACTIVE]] = True
        first, self._seen = self._seen, self._seen + len(block)
        wanted = self._seen * self._registered // self._voters - first * self._registered // self._voters
        recent = [e.position for e in elections if e.is_published][-8:]
        often = turnout.votes[recent].mean(axis=0)
        age = 2024 - block.birth_year
        # The largest of weight plus Gumbel noise: a weighted sample without replacement.
        willingness = OLDER * age + LEARNED * block.education + VOTES_OFTEN * often
        score = willingness + random.gumbel(0, 1, len(block))
        chosen = np.argsort(np.where(active, -score, np.inf), kind="stable")[:wanted]
        chosen = chosen[active[chosen]]
        chances = turnout.probability_before[elections[-1].position]
        self._gathered.append(
            _Respondents(
                state=[block.state.code] * len(chosen),
                voter_id=ids.take(pa.array(chosen)).to_pylist(),
                first=block.first[chosen],
                last=block.last[chosen],
                birth_year=block.birth_year[chosen],
                postcode=block.county.postcode_of(block.precinct[chosen]),
                answers=_answers(
                    random,
                    chances[chosen],
                    block.choice[chosen],
                    block.lean[chosen],
                    np.minimum(block.party[chosen], 2),
                    age[chosen],
                    block.gender[chosen],
                    block.education[chosen],
                    block.race[chosen] == 2,
                ),
            )
        )

    def append(self, files: Files) -> pa.Table:
        """Append all waves to their files; return who the respondents are: respondent_id, voter_id."""
        random = np.random.default_rng([self._seed, 201])
        self._gathered.append(self._not_registered(random))
        everyone = self._gathered
        state = [s for some in everyone for s in some.state]
        voter_id = [v for some in everyone for v in some.voter_id]
        answers = np.concatenate([some.answers for some in everyone])
        known = len(state) - self._strangers * len(WAVES)
        wave = np.concatenate([random.permutation(known) % len(WAVES), np.arange(len(state) - known) % len(WAVES)])
        given, surnames = cells.plain(GIVEN), cells.plain(SURNAMES)
        heard = _hear(
            random,
            [given[i] for some in everyone for i in some.first],
            [surnames[i] for some in everyone for i in some.last],
            np.concatenate([some.birth_year for some in everyone]),
            np.concatenate([some.postcode for some in everyone]),
            [v is not None for v in voter_id],
        )
        truth_ids, truth_voters = [], []
        for number, name in enumerate(WAVES):
            members = np.nonzero(wave == number)[0]
            members = members[random.permutation(len(members))]
            seconds = np.sort(random.integers(10 * 3600, 20 * 3600, len(members)))
            files.append(
                "polls/questionnaires", f"{name}.csv", CSV_DIALECT, QUESTIONNAIRE_COLUMNS, _questionnaire(number)
            )
            files.append(
                "polls/respondents",
                f"{name}.csv",
                CSV_DIALECT,
                RESPONDENT_COLUMNS,
                {
                    "wave_id": name,
                    "respondent_number": cells.numbers(np.arange(1, len(members) + 1)),
                    "called_at": pa.array([f"{name} {timedelta(seconds=s)}" for s in seconds.tolist()]),
                    "state": pa.array([state[i] for i in members]),
                    "voter_id": pa.array([(voter_id[i] or "") if heard.voter_id_is_known[i] else "" for i in members]),
                    "first_name": pa.array([heard.first[i] for i in members]),
                    "last_name": pa.array([heard.last[i] for i in members]),
                    "birth_year": pa.array([heard.birth_year[i] for i in members]),
                    "postcode": pa.array([heard.postcode[i] for i in members]),
                },
            )
            files.append(
                "polls/answers", f"{name}.csv", CSV_DIALECT, ANSWER_COLUMNS, _keys(random, number, answers[members])
            )
            truth_ids += [f"{name}-{n + 1}" for n in range(len(members))]
            truth_voters += [None if voter_id[i] is None else f"{state[i]}-{voter_id[i]}" for i in members]
        return pa.table(
            {"respondent_id": pa.array(truth_ids, pa.string()), "voter_id": pa.array(truth_voters, pa.string())}
        )

    def _not_registered(self, random: Generator) -> _Respondents:
        size = self._strangers * len(WAVES)
        where = random.choice(len(STATES), size, p=[s.share for s in STATES])
        county = random.integers(0, 10, size)
        age = random.integers(18, 80, size)
        lean = random.normal(0, 1, size)
        return _Respondents(
            state=[STATES[i].code for i in where],
            voter_id=[None] * size,
            first=random.choice(len(GIVEN), size),
            last=random.choice(len(SURNAMES), size, p=frequencies(len(SURNAMES), 25.0)),
            birth_year=2024 - age,
            postcode=np.array(
                [int(STATES[s].counties[c].postcodes) * 100 + 1 for s, c in zip(where, county, strict=True)], np.int64
            ),
            answers=_answers(
                random,
                np.full(size, 0.2),
                np.where(lean > 0, 0, 1),
                lean,
                np.where(lean > 0.5, 0, np.where(lean < -0.5, 1, 2)),
                age,
                random.integers(0, 2, size),
                random.integers(0, 4, size),
                random.random(size) < 0.1,
            ),
        )


@dataclass(frozen=True)
class _Heard:
    first: list[str]
    last: list[str]
    birth_year: list[str]
    postcode: list[str]
    voter_id_is_known: list[bool]


def _hear(
    random: Generator,
    first: list[str],
    last: list[str],
    birth_year: NDArray[np.int64],
    postcode: NDArray[np.int64],
    is_registered: list[bool],
) -> _Heard:
    """Return what a machine writes down of what people say of themselves."""
    size = len(first)
    luck = random.random((7, size))
    known = (luck[0] < ID_KNOWN) & np.array(is_registered)
    years = birth_year + np.where(luck[4] < NO_BIRTH_YEAR + WRONG_BIRTH_YEAR, random.choice([-2, -1, 1, 2], size), 0)
    codes = postcode + np.where(luck[5] < NO_POSTCODE + WRONG_POSTCODE, random.choice([-9, 1, 3, 10], size), 0)
    heard = _Heard([], [], [], [], known.tolist())
    for i in range(size):
        given, surname = first[i], last[i]
        if luck[1, i] < NICKNAME:
            given = NICKNAMES.get(given, given)
        elif luck[1, i] > 1 - MISHEARD_FIRST:
            given = _mishear(random, given)
        if luck[2, i] < MISHEARD_LAST:
            surname = _mishear(random, surname)
        heard.first.append("" if luck[3, i] < NO_FIRST_NAME else given.title())
        heard.last.append(surname.title())
        heard.birth_year.append("" if luck[4, i] < NO_BIRTH_YEAR else str(years[i]))
        heard.postcode.append("" if luck[5, i] < NO_POSTCODE else f"{codes[i]:05d}")
    return heard


_SOUNDS = (
    ("PH", "F"), ("CK", "K"), ("TH", "T"), ("LL", "L"), ("EE", "EA"), ("IE", "Y"), ("C", "K"), ("S", "Z"), ("D", "T"),
    ("M", "N"), ("V", "B"), ("E", "A"),
)  # fmt: skip


def _mishear(random: Generator, name: str) -> str:
    """Return the name as it is misheard: one sound for another, or a letter lost, doubled or out of place."""
    way, place = int(random.integers(0, 4)), int(random.integers(1, max(2, len(name) - 1)))
    if way == 0:
        for sound, other in _SOUNDS:
            if sound in name[1:]:
                return name[0] + name[1:].replace(sound, other, 1)
    if way == 1:
        return name[:place] + name[place + 1 :]
    if way == 2:
        return name[:place] + name[place] + name[place:]
    return name[: place - 1] + name[place : place + 1] + name[place - 1] + name[place + 1 :]


def _answers(
    random: Generator,
    chance: NDArray[np.float64],
    choice: NDArray[np.int64],
    lean: NDArray[np.float64],
    party: NDArray[np.int64],
    age: NDArray[np.int64],
    gender: NDArray[np.int64],
    education: NDArray[np.int64],
    is_hispanic: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Return the place of each person's answer to each question, of shape (n, 12)."""
    size = len(chance)

    def noisy(scale: float = 1.0) -> NDArray[np.float64]:
        return np.asarray(lean + random.normal(0, scale, size))

    # People claim to vote more surely than they do.
    claim = np.log(chance / (1 - chance)) + 1.0 + random.logistic(0, 0.8, size)
    vote = np.where(random.random(size) < 0.05 + 0.08 * (np.abs(lean) < 0.3), 3, choice)
    office = np.where(random.random(size) < 0.08, random.integers(0, 4, size), vote)
    shown = noisy(0.5)
    return np.stack(
        [
            np.select([claim > 0.8, claim > -0.2, claim > -1.2], [0, 1, 2], 3),
            vote,
            office,
            np.where(random.random(size) < 0.1, 2, np.where(noisy() > 0.6, 0, 1)),
            np.where(
                random.random(size) < 0.4,
                0,
                np.where(shown > 0, random.integers(2, 6, size), random.integers(1, 3, size)),
            ),
            np.select([noisy() > 0.6, noisy() > -0.2], [0, 1], 2),
            np.where(random.random(size) < 0.07, 2, np.where(noisy(0.6) > 0.1, 0, 1)),
            np.where(random.random(size) < 0.07, 2, party),
            np.searchsorted([30, 45, 65], age, side="right"),
            np.where(gender == MAN, 0, np.where(gender == WOMAN, 1, random.integers(0, 3, size))),
            education,
            np.where(is_hispanic & (random.random(size) < 0.5), 1, np.where(random.random(size) < 0.04, 2, 0)),
        ],
        axis=1,
    )


def _order(wave: int) -> list[int]:
    """Return the questions of a wave by position; from the fifth wave on two have changed places."""
    order = list(range(len(QUESTIONS)))
    if wave >= 4:
        order[3], order[4] = order[4], order[3]
    return order


def _key_of(wave: int, question: int, answer: int) -> int:
    """Return the key of an answer: every other wave names candidate B first."""
    if wave % 2 and QUESTIONS[question][0] in ("president", "statewide_office") and answer < 2:
        return 2 - answer
    return answer + 1


def _questionnaire(wave: int) -> dict[str, pa.Array | str]:
    rows = [
        (position, QUESTIONS[question][0], QUESTIONS[question][1], _key_of(wave, question, answer), meaning)
        for position, question in enumerate(_order(wave), start=1)
        for answer, meaning in enumerate(QUESTIONS[question][2])
    ]
    rows.sort(key=lambda row: (row[0], row[3]))
    columns = [pa.array([str(row[i]) for row in rows]) for i in range(5)]
    return {"wave_id": WAVES[wave], **dict(zip(QUESTIONNAIRE_COLUMNS[1:], columns, strict=True))}


def _keys(random: Generator, wave: int, answers: NDArray[np.int64]) -> dict[str, pa.Array | str]:
    """Return the keys that people pressed; after the question at which somebody hung up nothing follows."""
    size, questions = answers.shape
    keys = np.empty((size, questions), dtype=object)
    for position, question in enumerate(_order(wave)):
        key_of = np.array([str(_key_of(wave, question, a)) for a in range(len(QUESTIONS[question][2]))], dtype=object)
        keys[:, position] = key_of[answers[:, question]]
    luck = random.random(keys.shape)
    keys = np.where(luck < REPEATS, "9" + keys, keys)
    keys = np.where(luck < REPEATS / 8, "9" + keys, keys)
    wrong = random.integers(1, 4, keys.shape).astype(str).astype(object)
    keys = np.where((luck > 1 - CORRECTS), wrong + keys, keys)
    hangs_up = random.random(keys.shape) < HANGS_UP
    # Some ask for the question again and hang up then.
    keys = np.where(hangs_up, np.where(luck < 0.2, "9", ""), keys)
    person, place = np.nonzero(np.cumsum(hangs_up, axis=1) - hangs_up == 0)
    return {
        "wave_id": WAVES[wave],
        "respondent_number": cells.numbers(person + 1),
        "position": cells.numbers(place + 1),
        "keys": pa.array(keys[person, place].tolist(), pa.string()),
    }
