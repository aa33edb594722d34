"""A prediction, as everything after the declaration knows it."""

from __future__ import annotations

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from ml.declaration.keys import LabelExpectation
from ml.declaration.parts import Documentation, ReportedGroups, SearchPlan, Serving, SplitPlan
from ml.judging.gate import Gate
from ml.tasks import Task
from turnout.project.examples_table import ExamplesTable


@dataclass(frozen=True, kw_only=True, config=ConfigDict(arbitrary_types_allowed=True))
class Prediction:
    """A dbt model of examples and what was declared about it, every default filled in.

    It is made of parts. Who orders the steps has the whole, and gives each step the part that it reads.

    Parameters
    ----------
    examples : ExamplesTable
        Where the examples stand, and what was promised of them.
    task : Task
        What kind of question is asked.
    ignored : tuple of str
        Columns of the examples that are never a feature, and of which nothing is reported.
    expected : LabelExpectation
        What is to be expected of its labels.
    groups : ReportedGroups
        For which groups of examples metrics are reported.
    split : SplitPlan
        Which matured examples are learned from, and which judge.
    search : SearchPlan
        What is tried, and for how long.
    gate : Gate
        What a challenger must reach to take the champion's place.
    serving : Serving
        How a champion serves.
    documentation : Documentation
        What the dbt project says to readers.
    """

    examples: ExamplesTable
    task: Task
    ignored: tuple[str, ...] = ()
    expected: LabelExpectation = LabelExpectation()
    groups: ReportedGroups = ReportedGroups()
    split: SplitPlan
    search: SearchPlan = SearchPlan()
    gate: Gate
    serving: Serving = Serving()
    documentation: Documentation = Documentation()

    @property
    def name(self) -> str:
        """The dbt model's name, under which all is recorded, and which the table of scores has as well."""
        return self.examples.name
