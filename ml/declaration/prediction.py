"""A prediction, as everything after the declaration knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from ml.declaration.keys import SearchBudget
from ml.judging.limits import Limits
from ml.models.candidates import FAMILIES, Candidate
from ml.tasks import Task
from ml.tasks.metrics import Metric
from ml.tasks.task import BaselineKind
from turnout.project.examples_table import ExamplesTable


@dataclass(frozen=True, kw_only=True, config=ConfigDict(arbitrary_types_allowed=True))
class Prediction(ExamplesTable):
    """A dbt model of examples and what was declared about it, every default filled in.

    The attributes that are not described here are those of `Declaration` and of `ExamplesTable`, whose `name` the table
    of scores has as well.

    Parameters
    ----------
    description : str
        The model's description.
    reasons : bool
        Whether scores come with the features that moved them most.
    titles : mapping of str to str
        What a reader calls each documented column: the `title` in its `config.meta`, or the first sentence of its
        description if it is short, or its name with blanks.
    """

    description: str
    task: Task
    metric: str
    sensitive: tuple[str, ...]
    retrain: str | None
    gap_days: int
    holdout_dates: int
    group: str | None = None
    unseen_groups: str | None = None
    sample: int = 500_000
    requires_approval: bool = False
    candidates: tuple[Candidate, ...] = tuple(Candidate(family) for family in FAMILIES)
    baseline: BaselineKind = "prior"
    max_features: int | None = None
    search: SearchBudget = SearchBudget()
    slices: Mapping[str, str] = field(default_factory=dict, hash=False)
    minimum_effect: float = 0.005
    limits: Limits = Limits()
    reasons: bool = True
    treatment_share: float = 100.0
    trusted_types: tuple[str, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def grouping(self) -> tuple[str, ...]:
        """The columns that are no features, and for each of whose values metrics are reported."""
        return (*self.sensitive, *([] if self.unseen_groups is None else [self.unseen_groups]))

    @property
    def decisive_metric(self) -> Metric:
        """What candidates compete on."""
        return self.task.metrics[self.metric]
