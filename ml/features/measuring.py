"""What is measured of one column of the examples: in the warehouse, as aggregates, so that no example comes to Python.

Each column is grouped by its values once. Nearly everything else follows from how many examples have each value, early
and late, and from the sum of their labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from ml.features.measures import Difference, Duplicates, Kind, Measures, Names, Periods, Steps, Unlabelled
from ml.tasks.strength import MIN_CASES, Strength, Sums, area_under_roc
from turnout.drift import drift_between
from turnout.engines import identifier

if TYPE_CHECKING:
    import pyarrow as pa

    from ml.declaration import Prediction
    from ml.examples.inspection import Examples
    from turnout.engines import Session

# Bins of a number's distribution (quantiles of the early examples), and categories that are told apart; as for loads.
BINS = 20
CATEGORIES = 30
# What chance alone does to one column of a thousand is allowed for.
CONFIDENCE = 0.999
# From this ROC AUC of telling late examples from early ones it is looked at how a number moves; 0.5 tells nothing.
MOVES = 0.6
# A whole number or text may be a name if it has so many values, and so many for each entity.
MIN_NAMES = 20
NAMES_PER_ENTITY = 0.5
# What does not fit goes to disk, so that memory does not grow with the table.
MEMORY = "1GB"

PERIODS = ("early", "late", "holdout", "newest")


class Measuring:
    """Measures the columns of a prediction's examples.

    Parameters
    ----------
    session : Session
        Of the warehouse; what is read more than once is kept in it.
    prediction : Prediction
        What was declared.
    held : Examples
        What the table holds; see `ml.examples.inspection.inspect`.
    schema : Schema
        The table's columns.
    """

    def __init__(self, session: Session, prediction: Prediction, held: Examples, schema: pa.Schema) -> None:
        self._session, self._prediction, self._held, self._schema = session, prediction, held, schema
        self.periods = _periods(held, prediction.holdout_dates)
        # Any column may be called as our own are, so they are numbered.
        names = [*(feature.name for feature in held.features), *prediction.sensitive]
        self._places = {name: f"column_{place}" for place, name in enumerate(names)}
        self.counts, self._entities = self._count()
        self._label_squares: dict[str, float] = {}
        if prediction.task.strength.ranks_labels:
            self._rank_labels()

    @property
    def examples_per_entity(self) -> float:
        """How often an entity comes again, on average."""
        return self.counts["all"] / self._entities["all"]

    def column(self, name: str) -> Measures:
        """Measure a feature or a sensitive column."""
        kind: Kind = "numeric" if _is_numeric(self._schema.field(name).type) else "categorical"
        self._group(name)
        missing, distinct, is_whole = self._values(kind)
        strength, tells_late = self._by_rank() if kind == "numeric" else (self._by_category(), None)
        bins = self._bins(kind)
        may_be_name = is_whole and distinct >= max(MIN_NAMES, NAMES_PER_ENTITY * self._entities["all"])
        return Measures(
            name=name,
            kind=kind,
            data_type=str(self._schema.field(name).type),
            missing=missing,
            distinct_values=distinct,
            strength=strength,
            errors_left=self._errors_left() if self._prediction.task.strength.guesses_classes else None,
            drift=self._drift(bins, "early", "late"),
            drift_newest=self._drift(bins, "holdout", "newest"),
            missing_change=self._missing_change(missing, "early", "late"),
            missing_newest=self._missing_change(missing, "holdout", "newest"),
            tells_late=tells_late,
            steps=self._steps(name) if tells_late is not None and tells_late >= MOVES else None,
            names=self._names(name, distinct) if may_be_name else None,
            is_never_repeated=may_be_name and distinct == round(self.counts["all"] * (1 - missing["all"])),
        )

    def unlabelled(self) -> Unlabelled:
        """Count the examples without a label at as-of dates that have matured."""
        if not self._held.matured:
            return Unlabelled(0.0, 0, 0)
        examples, unlabelled, dates = self._row(
            f"""select
                    count(*),
                    count(*) filter (where label is null),
                    count(distinct as_of) filter (where label is null)
                from {self._examples()} where as_of <= {_date(self._held.matured[-1])}"""
        )
        return Unlabelled(unlabelled / examples, unlabelled, dates)

    def duplicate_entities(self, at_least: int) -> Duplicates:
        """Find pairs of entities that have equal features and labels wherever both have an example.

        Also those that share only a part of the time. What stands still is no evidence, so the equal examples must be
        different from each other as well.

        Parameters
        ----------
        at_least : int
            As-of dates at which they are equal, and different examples among them.
        """
        features = [feature.name for feature in self._held.features]
        vector = self._session.expressions.fingerprint(*(self._places[name] for name in features), "label")
        self._session.keep("vectors", f"select entity, as_of, {vector} as vector from {self._examples(*features)}")
        # The first and the last of several that are equal: duplicates or not, they come up again at the next as-of
        # date.
        self._session.keep(
            "equal_examples",
            """select as_of, vector, min(entity) as one, max(entity) as other, count(*) as examples
               from vectors group by as_of, vector having count(*) > 1""",
        )
        self._session.keep(
            "duplicate_entities",
            """with pairs as (
                   select one, other, count(*) as as_of_dates from equal_examples
                   group by one, other having count(*) >= ? and count(distinct vector) >= ?
               )
               select pairs.one, pairs.other, pairs.as_of_dates
               from pairs
               inner join vectors as here on pairs.one = here.entity
               inner join vectors as there on pairs.other = there.entity and here.as_of = there.as_of
               group by pairs.one, pairs.other, pairs.as_of_dates
               having count(*) = pairs.as_of_dates""",
            (at_least, at_least),
        )
        (by_chance,) = self._row(
            """select cast(coalesce(sum(examples), 0) as bigint)
               from equal_examples left join duplicate_entities on equal_examples.one = duplicate_entities.one and
               equal_examples.other = duplicate_entities.other where duplicate_entities.one is null"""
        )
        pairs = self._session.rows(
            "select one, other, as_of_dates from duplicate_entities order by as_of_dates desc, one, other"
        )
        return Duplicates(tuple(tuple(pair.values()) for pair in pairs), by_chance / self.counts["all"])

    def _examples(self, *names: str) -> str:
        """Return the examples to read from: roles and periods by our names, columns by theirs, as a model sees them."""
        prediction, periods = self._prediction, self.periods
        as_of = identifier(prediction.as_of)
        early = "cast(null as boolean)" if periods.early_until is None else f"{as_of} <= {_date(periods.early_until)}"
        holdout = f"{as_of} in ({', '.join(map(_date, periods.holdout))})" if periods.holdout else "false"
        values = "".join(f", {self._value(name, as_of)} as {self._places[name]}" for name in names)
        return f"""(
            select
                {identifier(prediction.entity)} as entity,
                {as_of} as as_of,
                cast({identifier(prediction.label)} as double) as label,
                {early} as is_early,
                not {early} as is_late,
                {holdout} as is_holdout,
                {as_of} = {_date(periods.newest)} as is_newest{values}
            from {identifier(prediction.schema, prediction.table)}
        ) as examples"""

    def _value(self, name: str, as_of: str) -> str:
        """Return a column as a model sees it: numbers, nan as missing, dates as days before, all else as text."""
        from pyarrow import types

        column, data_type = identifier(name), self._schema.field(name).type
        if types.is_floating(data_type):
            return f"case when not isnan({column}) then cast({column} as double) end"
        if types.is_date(data_type) or types.is_timestamp(data_type):
            return self._session.expressions.days_before(as_of, column)
        return f"cast({column} as {'double' if _is_numeric(data_type) else 'string'})"

    def _count(self) -> tuple[dict[str, int], dict[str, int]]:
        """Count examples and entities, of all and of each period."""
        conditions = {"all": "true", **{period: f"is_{period}" for period in PERIODS}}
        counted = [
            f"count(*) filter (where {condition}), count(distinct entity) filter (where {condition})"
            for condition in conditions.values()
        ]
        row = self._row(f"select {', '.join(counted)} from {self._examples()}")
        return dict(zip(conditions, row[::2], strict=True)), dict(zip(conditions, row[1::2], strict=True))

    def _rank_labels(self) -> None:
        """Rank the labels, those that are equal by the mean of their ranks: among all, early and late ones."""
        parts = {"all": "true", "early": "is_early", "late": "is_late"}
        counts = ", ".join(f"count(*) filter (where {condition}) as count_{part}" for part, condition in parts.items())
        ranks = ", ".join(
            f"sum(count_{part}) over (order by label) - (count_{part} - 1) / 2 as rank_{part}" for part in parts
        )
        self._session.keep(
            "label_ranks",
            f"""select *, {ranks}
                from (select label, {counts} from {self._examples()} where label is not null group by label)""",
        )
        squares = self._row(
            f"select {', '.join(f'sum(count_{part} * power(rank_{part}, 2))' for part in parts)} from label_ranks"
        )
        self._label_squares = dict(zip(parts, (float(square or 0) for square in squares), strict=True))

    def _group(self, name: str) -> None:
        """Count the examples of each value, by period, and sum their labels (of a number: the ranks of the labels)."""
        is_number = self._prediction.task.strength.ranks_labels
        summed = ("rank_all", "rank_early", "rank_late") if is_number else ("label", "label", "label")
        join, place = "left join label_ranks using (label)" if is_number else "", self._places[name]
        self._session.keep(
            "counted",
            f"""select
                    {place} as value,
                    count(*) as examples,
                    {", ".join(f"count(*) filter (where is_{period}) as {period}" for period in PERIODS)},
                    count(label) as labels_all,
                    coalesce(sum({summed[0]}), 0) as sum_all,
                    count(label) filter (where is_early) as labels_early,
                    coalesce(sum({summed[1]}) filter (where is_early), 0) as sum_early,
                    count(label) filter (where is_late) as labels_late,
                    coalesce(sum({summed[2]}) filter (where is_late), 0) as sum_late,
                    count({place}) filter (where is_early or is_late) as labels_calendar,
                    count({place}) filter (where is_late) as sum_calendar
                from {self._examples(name)} {join}
                group by {place}""",
        )

    def _values(self, kind: Kind) -> tuple[dict[str, float], int, bool]:
        """Return the shares of missing values, how many values there are, and whether they can be names."""
        counts = ", ".join(f"coalesce(sum({name}) filter (where value is null), 0)" for name in ("examples", *PERIODS))
        whole = "coalesce(bool_and(value = floor(value)), false)" if kind == "numeric" else "true"
        distinct, is_whole, *missing = self._row(f"select count(value), {whole}, {counts} from counted")
        shares = {
            period: float(count) / self.counts[period]
            for period, count in zip(("all", *PERIODS), missing, strict=True)
            if self.counts[period]
        }
        return shares, distinct, is_whole

    def _by_rank(self) -> tuple[dict[str, Strength], float | None]:
        """Return the strength of a number's order, and how well it tells late from early.

        A missing value stands for something that we do not know, so it may come before all others or after them; what
        is stronger over all examples counts.
        """
        parts = ("all", "early", "late", "calendar")
        ranks = ", ".join(
            f"""sum(labels_{part}) over ordered - (labels_{part} - 1) / 2 as first_{part},
                case
                    when value is null then sum(case when value is not null then labels_{part} else 0 end) over ()
                    else -sum(case when value is null then labels_{part} else 0 end) over ()
                end as moved_{part}"""
            for part in parts
        )
        places = [(f"first_{part}", part) for part in parts]
        places += [(f"(first_{part} + moved_{part})", part) for part in parts]
        sums = ", ".join(
            f"sum(labels_{part}), sum(sum_{part}), sum({place} * sum_{part}), sum(labels_{part} * power({place}, 2))"
            for place, part in places
        )
        row = self._row(
            f"""select {sums} from (
                    select *, {ranks} from counted
                    window ordered as (order by value nulls first rows unbounded preceding)
                )"""
        )
        found = [Sums(*(float(value or 0) for value in row[start : start + 4])) for start in range(0, len(row), 4)]
        first, last = dict(zip(parts, found[:4], strict=True)), dict(zip(parts, found[4:], strict=True))
        placed = max((self._strengths(first), self._strengths(last)), key=lambda strength: _size(strength.get("all")))
        calendar = [area_under_roc(sums["calendar"]) for sums in (first, last)]
        told = [max(area, 1 - area) for area in calendar if area is not None]
        return placed, max(told, default=None)

    def _by_category(self) -> dict[str, Strength]:
        """Return the strength of categories in the order of their mean label.

        The means are those of the other period, so that no label has a part in the order it is judged by. Over all
        examples it is the mean of the two. A category that the other period does not know has the mean of all.
        """
        strengths: dict[str, Strength] = {}
        for period, other in (("early", "late"), ("late", "early")):
            row = self._row(
                f"""with means as (
                        select
                            labels_{period},
                            sum_{period},
                            coalesce(
                                sum_{other} / nullif(labels_{other}, 0),
                                (select sum(sum_{other}) / nullif(sum(labels_{other}), 0) from counted),
                                0
                            ) as score
                        from counted
                    ),
                    scored as (
                        select score, sum(labels_{period}) as labels, sum(sum_{period}) as total
                        from means group by score
                    ),
                    placed as (
                        select *, sum(labels) over (order by score rows unbounded preceding) - (labels - 1) / 2 as place
                        from scored
                    )
                    select sum(labels), sum(total), sum(place * total), sum(labels * power(place, 2)) from placed"""
            )
            strengths |= self._strengths({period: Sums(*(float(value or 0) for value in row))})
        if strengths:
            signed = sum(strength.signed for strength in strengths.values()) / len(strengths)
            error = math.hypot(*(strength.error for strength in strengths.values())) / len(strengths)
            strengths["all"] = Strength(signed, error)
        return strengths

    def _strengths(self, sums: Mapping[str, Sums]) -> dict[str, Strength]:
        """Return the strength in each period that has enough labels."""
        strengths: dict[str, Strength] = {}
        for period in sums.keys() & {"all", "early", "late"}:
            # Examples of one entity are alike: they count as one.
            alike = self._entities[period] / self.counts[period] if self.counts[period] else 1.0
            measured = self._prediction.task.strength.strength(
                sums[period], alike, self._label_squares.get(period, 0.0)
            )
            if measured is not None:
                strengths[period] = measured
        return strengths

    def _errors_left(self) -> float | None:
        """Return the share of errors that are left if one guesses by value, as the early examples teach it.

        Notes
        -----
        That is 1 - lambda of Goodman and Kruskal 1954, with guesses from one half and errors from the other.
        """
        errors, ones, noughts = self._row(
            """with shared as (
                   select *, sum(sum_early) over () / nullif(sum(labels_early) over (), 0) as share from counted
               ),
               guessed as (
                   select *, coalesce(sum_early / nullif(labels_early, 0), share) > 0.5 as guess from shared
               )
               select
                   coalesce(sum(case when guess then labels_late - sum_late else sum_late end), 0),
                   coalesce(sum(sum_late), 0),
                   coalesce(sum(labels_late - sum_late), 0)
               from guessed"""
        )
        commoner = min(ones, noughts)
        return float(errors / commoner) if commoner >= MIN_CASES else None

    def _bins(self, kind: Kind) -> list[dict[str, int]]:
        """Count the examples of each period in bins: between early quantiles, or of the commonest early categories."""
        place = (
            f"""least({BINS - 1}, floor({BINS} * (sum(early) over (order by value rows unbounded preceding) - early / 2)
                / nullif(sum(early) over (), 0)))"""
            if kind == "numeric"
            else f"least({CATEGORIES}, row_number() over (order by early desc, value) - 1)"
        )
        sums = ", ".join(f"cast(sum({period}) as bigint) as {period}" for period in PERIODS)
        return self._session.rows(
            f"""select {sums} from (select *, {place} as place from counted where value is not null) group by place"""
        )

    def _drift(self, bins: Sequence[Mapping[str, int]], one: str, other: str) -> Difference | None:
        """Return the distance of two periods' distributions, measured as between loads.

        Examples of one entity are alike, so entities are what counts for chance.
        """
        here, there = [found[one] for found in bins], [found[other] for found in bins]
        if not (sum(here) and sum(there)):
            return None
        found = drift_between(here, there, (self._entities[one], self._entities[other]), CONFIDENCE)
        return Difference(found.distance, math.sqrt(found.by_chance_squared))

    def _missing_change(self, missing: Mapping[str, float], one: str, other: str) -> Difference | None:
        """Return by how much the share of missing values differs between two periods."""
        from scipy.stats import norm

        if one not in missing or other not in missing:
            return None
        share = min(max(missing[one], missing[other]), 0.5)
        together = 1 / self._entities[one] + 1 / self._entities[other]
        by_chance = float(norm.ppf(CONFIDENCE)) * math.sqrt(share * (1 - share) * together)
        return Difference(abs(missing[other] - missing[one]), by_chance)

    def _steps(self, name: str) -> Steps:
        up, down = self._row(
            f"""select
                    coalesce(avg(case when value > before then 1 else 0 end), 0),
                    coalesce(avg(case when value < before then 1 else 0 end), 0)
                from (
                    select
                        {self._places[name]} as value,
                        lag({self._places[name]}) over (partition by entity order by as_of) as before
                    from {self._examples(name)}
                )
                where value is not null and before is not null"""
        )
        return Steps(up, down)

    def _names(self, name: str, distinct: int) -> Names:
        pairs, entities = self._row(
            f"""select count(*), count(distinct entity)
                from (select distinct entity, {self._places[name]} as value from {self._examples(name)})
                where value is not null"""
        )
        return Names(pairs / distinct, pairs / entities)

    def _row(self, sql: str) -> tuple[Any, ...]:
        """Return the one row of an aggregate, whose columns need no names."""
        return tuple(column[0].as_py() for column in self._session.table(sql).columns)


def _periods(held: Examples, holdout_dates: int) -> Periods:
    halved = held.matured if len(held.matured) > 1 else held.as_of_dates
    newest = held.as_of_dates[-1]
    holdout = held.matured[-holdout_dates:]
    return Periods(
        early_until=halved[(len(halved) - 1) // 2] if len(halved) > 1 else None,
        newest=newest,
        holdout=() if newest in holdout else holdout,
    )


def _size(strength: Strength | None) -> float:
    return 0.0 if strength is None else abs(strength.signed)


def _is_numeric(data_type: pa.DataType) -> bool:
    from pyarrow import types

    kinds = (
        types.is_boolean,
        types.is_integer,
        types.is_floating,
        types.is_decimal,
        types.is_date,
        types.is_timestamp,
    )
    return any(is_kind(data_type) for is_kind in kinds)


def _date(day: date) -> str:
    return f"date '{day:%Y-%m-%d}'"
