"""The parts of a prediction: each is what one step, or a few that belong together, read of a declaration.

Two parts stand elsewhere, as what is below this package reads them too: where the examples are
(`turnout.project.examples_table`), and what a challenger must reach (`ml.judging.gate`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import date

from pydantic.dataclasses import dataclass

from ml.declaration.keys import SearchBudget
from ml.models.candidates import FAMILIES, Candidate
from ml.tasks.task import BaselineKind


@dataclass(frozen=True, kw_only=True)
class ReportedGroups:
    """For which groups of examples metrics are reported.

    Parameters
    ----------
    sensitive : tuple of str
        Columns that are never a feature, and for each of whose values metrics are reported.
    unseen_groups : str, optional
        Another such column, for each of whose values metrics are also reported by a model that has not learned from it.
    slices : mapping of str to str
        A condition in SQL, over the columns of the examples, for each further part by name.
    """

    sensitive: tuple[str, ...] = ()
    unseen_groups: str | None = None
    slices: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are no features, and for each of whose values metrics are reported."""
        return (*self.sensitive, *([] if self.unseen_groups is None else [self.unseen_groups]))


@dataclass(frozen=True, kw_only=True)
class SplitPlan:
    """Which matured examples are learned from, and which judge.

    Parameters
    ----------
    gap_days : int
        Days between the last as-of date of the training and the first of the holdout, at least the horizon.
    holdout_dates : int
        How many of the last matured as-of dates are the holdout.
    holdout_from : date, optional
        The first day of the holdout, in place of `holdout_dates`.
    fold_dates : int
        How many as-of dates a fold of the training dates is judged on.
    group : str, optional
        A column whose rows never stand on both sides where they share its value.
    is_by_time : bool
        Whether the holdout is of later dates than the training; without that, only the group divides.
    sample : int
        How many examples are learned from at most.
    """

    gap_days: int
    holdout_dates: int
    holdout_from: date | None = None
    fold_dates: int = 4
    group: str | None = None
    is_by_time: bool = True
    sample: int = 500_000


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """What is tried, and for how long.

    Parameters
    ----------
    candidates : tuple of Candidate
        Which families compete.
    with_average : bool
        Whether the average of all of them competes as well, if they are several.
    baseline : {"prior", "entity_mean"}
        What every candidate has to beat.
    max_features : int, optional
        How many of the encoded columns every candidate keeps at most; None for all.
    budget : SearchBudget, optional
        For how long hyperparameters are searched for; None for not at all.
    trusted_types : tuple of str
        Types that a saved model of an imported candidate may hold, beside those in
        `ml.models.persistence.TRUSTED_TYPES`.
    """

    candidates: tuple[Candidate, ...] = tuple(Candidate(family) for family in FAMILIES)
    with_average: bool = True
    baseline: BaselineKind = "prior"
    max_features: int | None = None
    budget: SearchBudget | None = None
    trusted_types: tuple[str, ...] = ()

    @property
    def has_average(self) -> bool:
        """Whether there is an average that competes."""
        return self.with_average and len(self.candidates) > 1


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How a champion serves.

    Parameters
    ----------
    treatment_share : float
        Percentage of the entities whose scores may be acted on.
    reasons : bool
        Whether scores come with the features that moved them most.
    retrain : str, optional
        When to train its challengers, as a cron expression in UTC; None for only when asked.
    """

    treatment_share: float = 100.0
    reasons: bool = True
    retrain: str | None = None


@dataclass(frozen=True, kw_only=True)
class Documentation:
    """What the dbt project says to readers.

    Parameters
    ----------
    description : str
        The model's description.
    titles : mapping of str to str
        What a reader calls each documented column: the `title` in its `config.meta`, or the first sentence of its
        description if it is short, or its name with blanks.
    """

    description: str = ""
    titles: Mapping[str, str] = field(default_factory=dict, hash=False)
