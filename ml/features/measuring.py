"""What is measured of the examples: in the warehouse, as aggregates, so that no example comes to Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml.features import entities, shifts, strength, values
from ml.features.labels import Labels
from ml.features.measures import Duplicates, Measures, Unlabelled
from ml.features.query import ExamplesQuery, date_in_sql, periods_of

if TYPE_CHECKING:
    import pyarrow as pa

    from ml.declaration import Prediction
    from ml.examples.inspection import Examples
    from turnout.engines import Session

# The steps of a number are measured from this ROC AUC of telling late examples from early ones; 0.5 is chance.
MOVES = 0.6
# A whole number or text may be a name if it has so many values, and so many for each entity.
MIN_NAMES = 20
NAMES_PER_ENTITY = 0.5
# What does not fit goes to disk, so that memory does not grow with the table.
MEMORY = "1GB"


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
        self.periods = periods_of(held, prediction.split)
        self._features = [feature.name for feature in held.features]
        self._matured = held.matured
        columns = [*self._features, *prediction.groups.sensitive]
        self._query = ExamplesQuery(session, prediction.examples, columns, schema, self.periods)
        self.strength_measure = prediction.task.strength
        self._labels = Labels(self._query, self.strength_measure)

    @property
    def examples_per_entity(self) -> float:
        """How often an entity comes again, on average."""
        return self._query.counts["all"] / self._query.entities["all"]

    def column(self, name: str) -> Measures:
        """Measure a feature or a sensitive column."""
        query, labels = self._query, self._labels
        kind = query.kind_of(name)
        values.group(query, name, labels)
        missing, distinct, is_whole = values.describe(query, kind)
        strengths, tells_late = (
            strength.by_rank(query, labels) if kind == "numeric" else (strength.by_category(query, labels), None)
        )
        binned = shifts.bins(query, kind)
        may_be_name = is_whole and distinct >= max(MIN_NAMES, NAMES_PER_ENTITY * query.entities["all"])
        return Measures(
            name=name,
            kind=kind,
            data_type=query.type_of(name),
            missing=missing,
            distinct_values=distinct,
            strength=strengths,
            errors_left=labels.errors_left(),
            drift=shifts.drift(query, binned, "early", "late"),
            drift_newest=shifts.drift(query, binned, "holdout", "newest"),
            missing_change=shifts.missing_change(query, missing, "early", "late"),
            missing_newest=shifts.missing_change(query, missing, "holdout", "newest"),
            tells_late=tells_late,
            steps=shifts.steps(query, name) if tells_late is not None and tells_late >= MOVES else None,
            names=entities.names(query, name, distinct) if may_be_name else None,
            is_never_repeated=may_be_name and distinct == round(query.counts["all"] * (1 - missing["all"])),
        )

    def unlabelled(self) -> Unlabelled:
        """Count the examples without a label at as-of dates that have matured."""
        if not self._matured:
            return Unlabelled(0.0, 0, 0)
        examples, unlabelled, dates = self._query.row(
            f"""select
                    count(*),
                    count(*) filter (where label is null),
                    count(distinct as_of) filter (where label is null)
                from {self._query.examples()} where as_of <= {date_in_sql(self._matured[-1])}"""
        )
        return Unlabelled(unlabelled / examples, unlabelled, dates)

    def duplicate_entities(self, at_least: int) -> Duplicates:
        """Find pairs of entities that are the same; see `ml.features.entities.duplicate_entities`."""
        return entities.duplicate_entities(self._query, self._features, at_least)
