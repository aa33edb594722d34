"""What is asked of a task: all that training, judging, scoring and reporting need to know of the kind of question."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline

    from ml.tasks.bands import Bands
    from ml.tasks.calibration import Calibration
    from ml.tasks.metrics import Metric, Predicted, Vector
    from ml.tasks.plots import Plot
    from ml.tasks.strength import StrengthMeasure
    from turnout.engines import Session
    from turnout.records.table import Column

BaselineKind = Literal["prior", "entity_mean"]


@dataclass(frozen=True)
class Problem:
    """Why labels cannot be learned from: what was found, which rule it breaks, and what to do."""

    found: str
    rule: str
    remedy: str


@dataclass(frozen=True)
class Words:
    """What a model card and the table of scores say of a task.

    Parameters
    ----------
    before_label, after_label : str
        "For each entity and each date, the model predicts <before_label> `label` <after_label> 28 days."
    mean_label : str
        "In the holdout <mean_label>.", where {number} and {percent} stand for the mean label.
    caveat : str
        What a reader of one score should keep in mind, as a sentence.
    calibrated : str
        "The predictions are calibrated by <calibrated>."; empty if the task is not calibrated.
    effect : str
        What the effect of a reason is, as a sentence.
    effect_unit : str
        The unit of a feature's importance.
    """

    before_label: str
    after_label: str
    mean_label: str
    caveat: str
    calibrated: str
    effect: str
    effect_unit: str


class Task(ABC):
    """A kind of question. Whatever depends on the kind is asked here, so that a new kind is one object.

    What a task predicts is an ndarray of float64 of shape (n_examples,), or (n_examples, n_columns) where one number
    does not say it all, such as the ends of an interval. One number of each example, `score_of`, is what it is ranked
    by.

    Attributes
    ----------
    name : str
        How declarations and records call it: a name in `ml.tasks.TASKS`, or the import path of the object.
    metrics : mapping of str to Metric
        What is reported, in that order; any with a direction may decide.
    default_metric : str
        Which of them decides where nothing is declared.
    group_metrics : tuple of str
        What is reported of each group beside the metric that decides.
    families : mapping of str to callable
        For names in `ml.models.candidates.FAMILIES`: a function from parameters to an unfitted estimator. A family that
        cannot answer the question is left out.
    baselines : tuple of {"prior", "entity_mean"}
        What can be declared as baseline.
    score_columns : tuple of Column
        What is written back of a prediction: `score`, and columns of the task's own behind it, each of the SQL type
        double, integer, bigint, boolean or varchar.
    score_checks : tuple of str
        What holds of these columns in every row, as conditions in SQL.
    bands : Bands
        How scores are divided into tenths.
    strength : StrengthMeasure
        By what a feature's strength is measured.
    plots : tuple of Plot
        What a model card shows of predictions beside what came true.
    words : Words
        For people.
    predict_function : {"predict", "predict_proba"}
        The method of a fitted model by which MLflow predicts.
    """

    name: str
    metrics: Mapping[str, Metric]
    default_metric: str
    group_metrics: tuple[str, ...]
    families: Mapping[str, Callable[[Mapping[str, Any]], BaseEstimator]]
    baselines: tuple[BaselineKind, ...] = ("prior", "entity_mean")
    score_columns: tuple[Column, ...]
    score_checks: tuple[str, ...] = ()
    bands: Bands
    strength: StrengthMeasure
    plots: tuple[Plot, ...]
    words: Words
    predict_function: Literal["predict", "predict_proba"] = "predict"

    def __repr__(self) -> str:
        return self.name

    @property
    def deciding(self) -> tuple[str, ...]:
        """The names of the metrics that can decide between candidates."""
        return tuple(name for name, metric in self.metrics.items() if metric.greater_is_better is not None)

    @abstractmethod
    def prior(self) -> BaseEstimator:
        """Return an unfitted estimator that says the same of every example, as it was on average."""

    @abstractmethod
    def selector(self) -> BaseEstimator:
        """Return an unfitted estimator by whose `feature_importances_` columns are selected."""

    def baseline(self, kind: BaselineKind, entity: str) -> Pipeline:
        """Return the unfitted baseline, which sees no feature.

        `prior` says the same of all. `entity_mean` predicts the mean of the entity's own past, mixed with that of all;
        its X has the entity.
        """
        from sklearn.pipeline import Pipeline

        from ml.tasks.estimators import entity_mean

        return Pipeline([("estimator", self.prior())]) if kind == "prior" else entity_mean(entity)

    def predict(self, fitted: BaseEstimator, features: pd.DataFrame) -> Predicted:
        """Return what a fitted model predicts.

        Parameters
        ----------
        features : DataFrame of shape (n_examples, n_features)
            As `ml.examples.reading.feature_frame` makes it.

        Returns
        -------
        ndarray of shape (n_examples,) or (n_examples, n_columns), float64
        """
        return np.asarray(fitted.predict(features), dtype=np.float64)

    def within(self, least: float | None, most: float | None) -> Task | None:
        """Return the same task, whose predictions keep to what labels can be; None if it has no such range."""
        return None

    def parameters_for(self, metric: str) -> Mapping[str, Any]:
        """Return the parameters by which every family learns for a metric, beyond its defaults."""
        return {}

    def score_of(self, predicted: Predicted) -> Vector:
        """Return the number of each example that it is ranked by, of shape (n_examples,): the column `score`."""
        return predicted if predicted.ndim == 1 else predicted[:, 0]

    def score_values(self, predicted: Predicted) -> list[pa.Array]:
        """Return what is written back of predictions: an array of n_examples values for each of `score_columns`."""
        import pyarrow as pa

        return [pa.array(self.score_of(predicted))]

    def label_problem(self, session: Session, table: str, label: str) -> Problem | None:
        """Look at the labels of all examples in the warehouse.

        Parameters
        ----------
        table : str
            The table of examples, as SQL names it.
        label : str
            The column of the label.
        """
        return None

    def learning_problem(self, label: str, values: Vector, which: str) -> Problem | None:
        """Say why nothing can be learned from labels, if so; they are at least one.

        Parameters
        ----------
        label : str
            The column of the label.
        values : ndarray of shape (n_examples,)
            The labels.
        which : str
            Of which examples, in words such as "of the training examples".
        """
        return None

    def range_problem(self, label: Vector, predicted: Predicted) -> str:
        """Say how many predictions lie beside what labels can be, or nothing.

        Parameters
        ----------
        label : ndarray of shape (n_examples,)
            Labels that were learned from.
        predicted : ndarray of shape (n_predicted,) or (n_predicted, n_columns)
            What a model predicts.
        """
        return ""

    def can_learn(self, values: Vector) -> bool:
        """Return whether there are labels, and something can be learned from them."""
        return len(values) > 0 and self.learning_problem("", values, "") is None

    def explained(self, estimator: BaseEstimator) -> BaseEstimator | None:
        """Return the estimator whose raw prediction explains the score; None where none does."""
        return estimator

    def fit_calibration(self, label: Vector, predicted: Predicted) -> Calibration | None:
        """Return the calibration that fits predictions best to what came true; None if the task is not calibrated.

        Parameters
        ----------
        label : ndarray of shape (n_examples,)
            Of examples that the model has not learned from.
        predicted : ndarray of shape (n_examples,) or (n_examples, n_columns)
            What it predicted of them.
        """
        return None

    def calibrated(self, predicted: Predicted, calibration: Calibration) -> Predicted:
        """Return calibrated predictions, of the shape that they have."""
        return predicted
