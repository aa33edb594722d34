"""What splink learns from two tables, and how probable each candidate is: Fellegi and Sunter's model, without examples.

For every column and level of likeness it is learned how often two records of the same thing reach it (m, by
expectation maximisation) and how often two records of different things do (u, from random pairs). How often a record
is there at all is learned as well. Few records teach little: m is then drawn to what is usual for the kind of column.

A record has at most one counterpart, so its candidates share its probability: where two are equally good, each has less
than a half, and none is taken.

References
----------
Fellegi and Sunter (1969), A Theory for Record Linkage, Journal of the American Statistical Association 64;
Linacre et al. (2022), Splink, International Journal of Population Data Science 7.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from turnout.linking.comparisons import LEVELS, comparison
from turnout.linking.declaration import Kind

if TYPE_CHECKING:
    from splink import Linker, SettingsCreator

    from turnout.engines import Session

# The tables that are compared: `record`, a number of its own, and the cleaned columns. Splink wants the one whose
# records come first in a pair to have the name that comes first.
SOUGHT, POOL = "records_sought", "records_to_search"
AGAIN = "records_again"  # some of the pool, compared with all of it

SEED = 20_261  # of the random pairs; any will do, if it stays the same
RANDOM_PAIRS = 1e7  # from which u is learned; more would cost minutes and change the third digit
TRAINING_PAIRS = 1_000_000  # from which m is learned, at most
TRAINING_RULES = 4  # so that m of every column is learned several times, of which splink takes the median
PAIRS_AT_ONCE = 10_000_000  # a chunk that fits into memory
RECORDS_AGAIN = 10_000  # of the pool, to learn how alike strangers are
# Records as which what is usual for a kind counts, when m is learned.
USUAL_COUNTS_AS = 50
# Candidates that are even less likely, where every record is taken to be there as often as not, change no result.
LEAST_PROBABILITY = 1e-4
# Sums of floating-point numbers depend on the order of rows, which threads decide; rounded, they do not.
DIGITS = 6


@dataclass(frozen=True)
class Weight:
    """What a level of likeness says.

    Parameters
    ----------
    column, level : str
        Of which column, and how alike.
    m, u : float
        The share of pairs of the same thing, and of different things, that reach it.
    """

    column: str
    level: str
    m: float
    u: float

    @property
    def bits(self) -> float:
        """How much the level speaks for the same thing: each bit doubles the odds, a negative one halves them."""
        return math.log2(self.m / self.u)


@dataclass(frozen=True)
class Matching:
    """What was learned.

    Parameters
    ----------
    weights : tuple of Weight
        Of each level of each column.
    share_there : float
        The estimated share of records that have a counterpart at all.
    """

    weights: tuple[Weight, ...]
    share_there: float


def match(session: Session, compare: Mapping[str, Kind], block: Sequence[Sequence[str]]) -> Matching:
    """Find the candidates of every record in `SOUGHT` among those in `POOL`, and keep the table `best`.

    It has a row for each record that has a candidate: `record`, `other`, `match_probability`,
    `runner_up_probability` (0 if there is no second) and `any_probability`, that one of all candidates is it.

    Parameters
    ----------
    session : Session
        On a scratch database, where both tables are kept; neither of them empty.
    compare : mapping of str to kind
        The columns that are compared.
    block : sequence of sequence of str
        Two records are compared if they share all columns of at least one of these.
    """
    from splink import SettingsCreator, block_on

    logging.getLogger("splink").setLevel(logging.ERROR)  # what it says of its training stands in our weights
    # Where all pairs that are compared share a column, all that is learned is about such pairs, and each record has so
    # many others to choose from.
    shared = [name for name in block[0] if all(name in names for names in block)]
    records = count(session, SOUGHT)
    others = max(1.0, pairs_of(session, shared) / records)
    dialect = session.splink().sql_dialect
    settings = SettingsCreator(
        link_type="link_only",
        comparisons=[comparison(column, kind, dialect) for column, kind in compare.items()],
        blocking_rules_to_generate_predictions=[block_on(*columns) for columns in block],
        probability_two_random_records_match=_of_two(others),
        unique_id_column_name="record",
        retain_matching_columns=True,  # without it, splink does not tell which levels a pair reached
    )
    learner = _linker(session, SOUGHT, settings)
    _learn(session, learner, list(compare), shared)
    model, weights = _steadied(session, learner.misc.save_model_to_json(), compare)
    by_chance = session.expressions.fingerprint(f"record + {SEED}")
    session.keep(AGAIN, f"select * from {POOL} order by {by_chance}, record limit {RECORDS_AGAIN}")
    compared, compared_again = (_compare(session, left, model, block) for left in (SOUGHT, AGAIN))
    _weigh_jointly(session, compared, compared_again, compare, weights, others)
    share = _share(session, records, others)
    return Matching(weights, share)


def pairs_of(session: Session, columns: Sequence[str], left: str = SOUGHT) -> int:
    """Return how many pairs of records, of a table and `POOL`, share all of these columns; all pairs, if none."""
    names = ", ".join(columns)
    number = "cast(count(*) as decimal(38, 0)) as n"  # a product of two may be greater than a bigint
    counts = f"select {names}, {number} from {{}} group by {names}" if columns else f"select {number} from {{}}"
    (row,) = session.rows(
        f"""select coalesce(sum(sought.n * pool.n), 0) as pairs
            from ({counts.format(left)}) as sought
            inner join ({counts.format(POOL)}) as pool {f"using ({names})" if columns else "on true"}"""
    )
    return int(row["pairs"])


def count(session: Session, table: str, condition: str = "true", parameters: Sequence[object] = ()) -> int:
    """Return how many rows of a kept table meet a condition."""
    (row,) = session.rows(f"select count(*) as n from {table} where {condition}", parameters)
    return int(row["n"])


def _linker(session: Session, left: str, settings: SettingsCreator | dict[str, Any]) -> Linker:
    from splink import Linker

    database = session.splink()
    tables = [database.register(name, dataset_display_name=name) for name in (left, POOL)]
    return Linker(tables, settings, log_level=None)


def _learn(session: Session, learner: Linker, columns: Sequence[str], shared: Sequence[str]) -> None:
    """Learn u of every level from random pairs, then m from pairs that share one column, which tells nothing then."""
    if shared:
        # Nearly none of them belong together, and those that do count for little.
        _train(session, learner, shared, fix_m_probabilities=True, fix_u_probabilities=False)
    else:
        learner.training.estimate_u_using_random_sampling(max_pairs=RANDOM_PAIRS, seed=SEED)
    # The fewer pairs, the larger the part of them that belong together.
    for _, column in sorted((pairs_of(session, [*shared, column]), column) for column in columns)[:TRAINING_RULES]:
        _train(session, learner, [*shared, column])


def _train(session: Session, learner: Linker, columns: Sequence[str], **fixed: bool) -> None:
    """Train on pairs that share columns, or on a sample of them, if they are very many."""
    from splink import block_on
    from splink.internals.exceptions import EMTrainingException

    pairs = pairs_of(session, columns)
    sampling: dict[str, Any] = {}
    if pairs > TRAINING_PAIRS:
        # Splink first counts the pairs of a part of the records: of as many as make some ten thousand pairs.
        sampling = {"max_pairs": TRAINING_PAIRS, "record_sample_proportion": max(math.sqrt(1e4 / pairs), 0.001)}
    # Without a pair there is nothing to learn, and what is usual stands in.
    with suppress(EMTrainingException):
        learner.training.estimate_parameters_using_expectation_maximisation(
            block_on(*columns), estimate_without_term_frequencies=True, **sampling, **fixed
        )


def _steadied(
    session: Session, model: dict[str, Any], compare: Mapping[str, Kind]
) -> tuple[dict[str, Any], tuple[Weight, ...]]:
    """Return splink's model with m drawn to what is usual, u above zero and both rounded; and its weights."""
    weights = []
    for made, (column, kind) in zip(model["comparisons"], compare.items(), strict=True):
        sought, pool = (count(session, name, f"{column} is not null") for name in (SOUGHT, POOL))
        found = [level for level in made["comparison_levels"] if not level.get("is_null_level")]
        learned_m, learned_u = (sum(level.get(f"{one}_probability", 0.0) for level in found) for one in "mu")
        least = 1 / max(2, min(TRAINING_PAIRS, sought * pool))
        for level, one in zip(found, LEVELS[kind], strict=True):
            m = (sought * level.get("m_probability", 0.0) / (learned_m or 1) + USUAL_COUNTS_AS * one.usual) / (
                sought + USUAL_COUNTS_AS
            )
            # Where nothing is known of strangers, the column says nothing.
            u = max(level.get("u_probability", 0.0), least) if learned_u else m
            level["m_probability"], level["u_probability"] = _rounded(m), _rounded(u)
            weights.append(Weight(column, one.label, level["m_probability"], level["u_probability"]))
    return model, tuple(weights)


def _compare(session: Session, left: str, model: dict[str, Any], block: Sequence[Sequence[str]]) -> str:
    """Compare a table with `POOL`, chunk by chunk, and return the table of what splink says of each pair."""
    chunks = max(1, math.ceil(sum(pairs_of(session, names, left) for names in block) / PAIRS_AT_ONCE))
    compared = _linker(session, left, model).inference.predict(
        threshold_match_probability=LEAST_PROBABILITY,
        num_chunks_left=chunks,
        num_chunks_right=1,
        warning_mode="never",
    )
    return str(compared.physical_name)


def _weigh_jointly(
    session: Session,
    compared: str,
    compared_again: str,
    compare: Mapping[str, Kind],
    weights: Sequence[Weight],
    others: float,
) -> None:
    """Keep the table `candidates`: the odds of each pair, set right by how often strangers agree in all of it at once.

    Column by column, a shared name and a shared address count as two coincidences. Often they are one: who lives
    together shares both, however rare the name is. So records of the pool are compared with all others of the pool,
    none of which is the same. How often some combination of levels is found there beyond what the columns one by one
    say is added to the chance that such a pair are strangers. A missing value fits every level.
    """
    names = [f"gamma_{column}" for column in compare]
    levels = ", ".join(names)
    sought_levels = ", ".join(f"sought.{name}" for name in names)

    def of_pair(share: str) -> str:
        """Return the product over all columns that a pair has; splink calls a missing value -1."""
        factors = []
        for column in compare:
            found = [getattr(one, share) for one in weights if one.column == column]
            cases = " ".join(f"when {len(found) - 1 - place} then {value!r}" for place, value in enumerate(found))
            factors.append(f"cast(case gamma_{column} {cases} else 1 end as double)")
        return " * ".join(factors)

    fits = " and ".join(f"(sought.{name} = -1 or sought.{name} = again.{name})" for name in names)
    session.keep(
        "joint",
        f"""with
            sought as (select distinct {levels} from {compared}),
            again as (
                select {levels}, count(*) as pairs from {compared_again} where record_l <> record_r group by {levels}
            ),
            counted as (
                select
                    {sought_levels},
                    coalesce(sum(again.pairs), 0) / (select count(*) from {AGAIN}) / ? as u
                from sought left join again on {fits}
                group by {sought_levels}
            )
            select {levels}, greatest(0, u - {of_pair("u")}) / ({of_pair("m")}) as beyond_chance from counted""",
        [others],
    )
    assumed = math.log2(_of_two(others) / (1 - _of_two(others)))  # what splink has added to each weight
    session.keep(
        "candidates",
        f"""select record_l as record, record_r as other, 1 / (power(2, ? - match_weight) + beyond_chance) as odds
            from {compared} inner join joint using ({levels})""",
        [assumed],
    )


def _share(session: Session, records: int, others: float) -> float:
    """Share the probability of each record among its candidates, keep `best`, and return the share that is there.

    Before anything is compared, every record is there with the same probability, and then is each of the others with
    the same. That probability is found by expectation maximisation: it is the mean of what comes out.
    """
    session.keep("odds", "select record, sum(odds) as odds from candidates group by record")
    share = 0.5
    for _ in range(100):
        before, each = share, share / (1 - share) / others
        (row,) = session.rows("select coalesce(sum(odds * ? / (1 + odds * ?)), 0) as there from odds", [each, each])
        share = _rounded((row["there"] + 1) / (records + 2))
        if abs(share - before) < 1e-4:
            break
    each = share / (1 - share) / others
    session.keep(
        "best",
        f"""with
            shared as (
                select
                    candidates.record,
                    candidates.other,
                    candidates.odds * ? / (1 + odds.odds * ?) as probability,
                    odds.odds * ? / (1 + odds.odds * ?) as any_probability
                from candidates inner join odds using (record)
            ),
            placed as (
                select *, row_number() over (partition by record order by probability desc, other) as place
                from shared
            )
            select
                record,
                max(case when place = 1 then other end) as other,
                round(max(probability), {DIGITS}) as match_probability,
                round(coalesce(max(case when place = 2 then probability end), 0), {DIGITS}) as runner_up_probability,
                round(max(any_probability), {DIGITS}) as any_probability
            from placed
            group by record""",
        [each, each, each, each],
    )
    return share


def _of_two(others: float) -> float:
    """Return the probability that two records belong together before they are compared; splink wants it below one."""
    return 1 / (others + 1)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
