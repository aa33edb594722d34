"""What is remembered of every training: versions, trials, evaluations, promotions, champions, and what came true."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal

from turnout.records.table import BIGINT, JSON, LATER, UNDEFINED, Between, Lacking, Relationship, Table, columns_of

Metric = Annotated[str, "What was measured."]
# Said once for all rows that hold values of a metric; what it is for each metric is for the learning to know.
Direction = Annotated[
    bool | None,
    "Which direction of the metric is better; null for one that is best at zero.",
]


# How a version became champion.
How = Literal["promoted", "approved", "rolled_back", "overridden"]


@dataclass(frozen=True)
class OfVersion:
    """Which training of which prediction a row is about, by the version that it made."""

    prediction: Annotated[str, "The dbt model that declares the prediction."]
    version: Annotated[int, "The version that the training made.", Between(1)]


@dataclass(frozen=True)
class ModelVersion(OfVersion):
    """One fitted candidate, numbered, immutable. Files are named from the folder of model versions."""

    candidate: Annotated[
        str, "The candidate that came out best of the training; with ` recalibrated` behind it if it is calibrated."
    ]
    trained_at: Annotated[datetime, "When it was trained, UTC."]
    code_version: Annotated[str, "The commit, or a hash of the code where there is none."]
    data_fingerprint: Annotated[str, "A hash of all matured examples; equal data have equal fingerprints."]
    load_ids: Annotated[tuple[str, ...], "The loads behind the examples."]
    first_as_of_date: Annotated[
        date, "The earliest as-of date that the judged fit has learned from; the fit in service is in `champions`."
    ]
    last_as_of_date: Annotated[date, "The latest of them."]
    example_count: Annotated[int, "Examples that it has learned from.", BIGINT, Between(1)]
    holdout_first_as_of_date: Annotated[date, "The earliest as-of date of the holdout it was judged on."]
    holdout_last_as_of_date: Annotated[date, "The latest as-of date of the holdout it was judged on."]
    features: Annotated[Any, "The features and their kinds, as JSON.", JSON]
    libraries: Annotated[Any, "The libraries it was made with and their versions, as JSON.", JSON]
    file: Annotated[str, "The file of the judged fit, in the folder of model versions."]
    file_hash: Annotated[str, "SHA-256 of that file."]
    task: Annotated[
        str, "The task that it was trained for: `binary`, `regression`, or the import path of one of somebody's own."
    ]
    label: Annotated[str, "The column that was its label."]
    horizon_days: Annotated[int, "Days from the as-of date until that label had matured."]
    evaluated_file: Annotated[str, "The file of the model that was judged; it has not learnt from the holdout."]
    evaluated_file_hash: Annotated[str, "SHA-256 of that file."]
    split_group: Annotated[
        str | None, "Column each value of which stood on one side of the split; null if only time divided it."
    ] = None
    is_split_by_time: Annotated[
        bool, "Whether the holdout was of later dates than the training; if not, only the group divided it."
    ] = True
    chosen_in: Annotated[
        str,
        "In what it was chosen before the holdout was seen, such as `3 folds by time`, or `no folds`.",
        LATER,
    ] = ""
    parameters: Annotated[Any, "Its hyperparameters, as JSON.", JSON, LATER] = None
    recalibration: Annotated[
        Any,
        "Slope and intercept of the line that straightens its predictions, as JSON.",
        JSON,
        Lacking("if none does"),
    ] = None
    max_features: Annotated[int | None, "How many encoded columns it keeps at most; null for all."] = None
    fit_seconds: Annotated[float | None, "What fitting it for the holdout took."] = None
    prediction_seconds: Annotated[float | None, "What predicting a million rows takes."] = None


@dataclass(frozen=True)
class Evaluation:
    """One metric of one candidate over one segment of the holdout; the interval is by resampling entities."""

    candidate: Annotated[
        str,
        "The candidate that was judged; with ` recalibrated` behind it if its predictions were calibrated; "
        "`champion` for the version in place before.",
    ]
    group_column: Annotated[str, "The sensitive column, or `slice`; empty for all examples."]
    group_value: Annotated[str, "Its value, or the slice's name; empty for all examples."]
    metric: Metric
    value: Annotated[
        float | None, "The value; null where it is undefined, such as the ROC AUC of a group with one class."
    ]
    low: Annotated[
        float | None,
        "Low end of its 95 % interval, by resampling entities; null where there is none, such as for few entities.",
    ]
    high: Annotated[float | None, "High end of it."]
    example_count: Annotated[int, "Examples it was measured on; none in an empty slice.", BIGINT, Between(0)]
    entity_count: Annotated[int, "How many entities these examples are about.", BIGINT, LATER]


@dataclass(frozen=True)
class Validation:
    """The metric that decides, of one candidate in one fold of the training examples."""

    candidate: Annotated[str, "The candidate that was judged."]
    fold: Annotated[int, "Number of the fold, from zero on; folds by time are in their order."]
    first_as_of_date: Annotated[date, "The earliest as-of date that the fold was judged on."]
    last_as_of_date: Annotated[date, "The latest of them."]
    metric: Annotated[str, "The metric that decides."]
    value: Annotated[float, "Its value.", UNDEFINED]
    example_count: Annotated[int, "Examples it was measured on.", BIGINT, Between(1)]


@dataclass(frozen=True)
class Choice(OfVersion):
    """A candidate beside the one that was chosen, over all folds; the interval is by resampling entities and folds."""

    candidate: Annotated[str, "The candidate that was not chosen."]
    chosen: Annotated[str, "The one that was."]
    metric: Annotated[str, "The metric that decides."]
    value: Annotated[float | None, "Its mean over the folds, of the candidate."]
    chosen_value: Annotated[float | None, "Its mean over the folds, of the one that was chosen."]
    effect: Annotated[
        float | None, "By which share of the chosen one's value the candidate is better; below zero if it is worse."
    ]
    effect_low: Annotated[float | None, "Low end of the effect's 95 % interval; above zero, it is beyond chance."]
    effect_high: Annotated[float | None, "High end of it."]


@dataclass(frozen=True)
class Judged:
    """Which way the metric of a row is better."""

    greater_is_better: Direction


@dataclass(frozen=True)
class Outcome:
    """Examples of one as-of date whose scores lie in one band, in sums."""

    basis: Annotated[
        Literal["validation", "holdout", "published"],
        "validation: the chosen candidate in the folds before the holdout, before any recalibration; holdout: the "
        "judged fit on the holdout; published: the champion's scores.",
    ]
    as_of_date: Annotated[date, "The moment from which the predictions look ahead."]
    is_treated: Annotated[
        bool, "Whether the scores might be acted on; false for a training, whose predictions nobody sees."
    ]
    score_band: Annotated[int, "Tenth of the scores, 1 the lowest.", Between(1, 10)]
    example_count: Annotated[int, "How many examples there are in the band.", BIGINT, Between(1)]
    expected: Annotated[float, "Mean score of them, a share for a binary prediction."]
    realised: Annotated[float, "Mean label of them."]
    realised_stddev: Annotated[
        float | None,
        "Standard deviation of the label among them, that of a sample; null for a single one.",
        Between(0),
    ]


@dataclass(frozen=True)
class Promotion(OfVersion):
    """What became of a challenger, and the numbers that decided."""

    decided_at: Annotated[datetime, "When it was decided, UTC."]
    is_promoted: Annotated[bool, "Whether the challenger became champion."]
    reason: Annotated[str, "Why, in words."]
    metric: Annotated[str, "The metric that decided."]
    greater_is_better: Direction
    challenger_value: Annotated[float | None, "What the challenger reached on the holdout."]
    baseline_value: Annotated[float | None, "What the baseline reached there."]
    champion_version: Annotated[int | None, "The champion in place before; null if there was none."]
    champion_value: Annotated[float | None, "What that champion reached there; null if there was none."]
    outcome: Annotated[
        Literal["promoted", "kept", "waits"],
        "`promoted`, `kept` (the champion stays), or `waits` for a person, where approval is required.",
        LATER,
    ]
    effect: Annotated[
        float | None,
        "By which share of its value the challenger improves the metric over what it was compared with: the champion, "
        "or the baseline where there was none.",
    ]
    effect_low: Annotated[float | None, "Low end of the effect's 95 % interval, by resampling entities in pairs."]
    effect_high: Annotated[float | None, "High end of it."]
    minimum_effect: Annotated[float, "The least effect that was declared.", LATER]
    resamples: Annotated[int, "How many resamples the interval comes from.", LATER]


@dataclass(frozen=True)
class LimitFinding:
    """What came of one limit, in one group where it is about groups."""

    limit_name: Annotated[str, "Which limit, as it is declared."]
    group_column: Annotated[str, "The sensitive column it is about, or `slice`; empty for all examples."]
    group_value: Annotated[str, "Its value, or the slice's name; empty for all examples."]
    allowed: Annotated[float, "The limit."]
    found: Annotated[float | None, "What was measured; null where it is undefined."]
    low: Annotated[float | None, "Low end of its 95 % interval, where there is one."]
    high: Annotated[float | None, "High end of it."]
    passed: Annotated[bool, "Whether the challenger keeps to it."]
    message: Annotated[str, "The same in words."]


@dataclass(frozen=True)
class Championship(OfVersion):
    """A version became champion: how, why, and with which fit."""

    since: Annotated[datetime, "Since when, UTC."]
    how: Annotated[
        How,
        "By the gate alone, by a person after the gate, by a person who went back to it, or by a person against the "
        "gate, which never let it be champion.",
    ]
    name: Annotated[str | None, "Who made it champion, where it was a person."]
    reason: Annotated[str, "Why."]
    file: Annotated[str, "The file of the fit in service, in the folder of model versions."]
    file_hash: Annotated[str, "SHA-256 of that file."]
    first_as_of_date: Annotated[date, "The earliest as-of date that this fit has learned from."]
    last_as_of_date: Annotated[date, "The latest of them."]
    example_count: Annotated[int, "Examples that it has learned from.", BIGINT]
    data_fingerprint: Annotated[
        str, "A hash of these examples, or for a fit that was only judged, of all that were matured then."
    ]
    number: Annotated[
        int | None,
        "Its number, from 1 on for each prediction; the last one is its champion, whatever the clock said.",
        Lacking("until the records of an earlier release are brought up"),
    ] = None


@dataclass(frozen=True)
class Trial(OfVersion):
    """A configuration that was tried."""

    trial: Annotated[int, "Its number, in the order of trying, from zero on."]
    candidate: Annotated[str, "Its candidate."]
    parameters: Annotated[str, "The hyperparameters that are searched, as JSON."]
    state: Annotated[
        Literal["complete", "pruned"],
        "Whether it was judged in all folds, or dropped before, as worse than others or for lack of time.",
    ]
    value: Annotated[float | None, "Mean of the metric that decides over the folds it was judged in."]
    folds: Annotated[int, "In how many."]
    seconds: Annotated[float, "What it took."]


@dataclass(frozen=True)
class TrainingStep(OfVersion):
    """What a part of a training cost."""

    step: Annotated[str, "The step, such as `folds`, `fit lightgbm`, `judge` or `refit`."]
    seconds: Annotated[float, "What it took."]


_VERSION = ("prediction", "version")


def _of_versions(name: str) -> tuple[Relationship, ...]:
    return (Relationship(name, _VERSION, to="source('records', 'model_versions')", blocks="model_versions"),)


MODEL_VERSIONS = Table(
    "model_versions",
    "Fitted models, numbered from 1 on for each prediction. One row per prediction and version.",
    columns_of(ModelVersion),
    key=_VERSION,
    checks=("first_as_of_date <= last_as_of_date", "holdout_first_as_of_date <= holdout_last_as_of_date"),
)
EVALUATIONS = Table(
    "evaluations",
    "How the candidates of each training did on the holdout, over all examples; the challenger, the baseline and the "
    "champion also in each sensitive group and slice. One row per prediction, version, candidate, group and metric.",
    columns_of(OfVersion, Evaluation, Judged),
    key=(*_VERSION, "candidate", "group_column", "group_value", "metric"),
    relationships=_of_versions("evaluations_belong_to_model_versions"),
)
VALIDATIONS = Table(
    "validations",
    "How each candidate did in folds of the training examples, before the holdout was looked at: what the challenger "
    "is chosen by. One row per prediction, version, candidate and fold.",
    columns_of(OfVersion, Validation),
    key=(*_VERSION, "candidate", "fold"),
    checks=("first_as_of_date <= last_as_of_date",),
)
CHOICES = Table(
    "choices",
    "How every other candidate did beside the one that was chosen, over all folds and beyond chance or not. One row "
    "per prediction, version and candidate.",
    columns_of(Choice),
    key=(*_VERSION, "candidate"),
)
OUTCOMES = Table(
    "outcomes",
    "What was expected and what came true, in sums over many: of every training's challenger, and of the scores whose "
    "labels have matured since. Bands are tenths: of the probability, or of the as-of date's examples by score for a "
    "regression. One row per prediction, version, basis, as-of date, treated or not and score band.",
    columns_of(OfVersion, Outcome),
    key=(*_VERSION, "basis", "as_of_date", "is_treated", "score_band"),
    checks=("(realised_stddev is null) = (example_count = 1)",),
)
PROMOTIONS = Table(
    "promotions",
    "Whether each newly trained version became champion, and why. One row per prediction and version.",
    columns_of(Promotion),
    key=_VERSION,
    checks=("champion_version is null or champion_version < version",),
    relationships=_of_versions("promotions_belong_to_model_versions"),
)
PROMOTION_LIMITS = Table(
    "promotion_limits",
    "The limits that a challenger was held to. One row per prediction, version, limit and group.",
    columns_of(OfVersion, LimitFinding),
    key=(*_VERSION, "limit_name", "group_column", "group_value"),
)
CHAMPIONS = Table(
    "champions",
    "Who was champion since when, and with which fit. One row per prediction and time that a version became champion.",
    columns_of(Championship),
    key=("prediction", "since"),
    relationships=_of_versions("champions_are_model_versions"),
)
TRIALS = Table(
    "trials",
    "Configurations that were tried in each training, defaults first. One row per prediction, version and trial.",
    columns_of(Trial),
    key=(*_VERSION, "trial"),
)
TRAINING_STEPS = Table(
    "training_steps",
    "What each training cost. One row per prediction, version and step.",
    columns_of(TrainingStep),
    key=(*_VERSION, "step"),
)
TABLES = (
    MODEL_VERSIONS,
    EVALUATIONS,
    VALIDATIONS,
    CHOICES,
    OUTCOMES,
    PROMOTIONS,
    PROMOTION_LIMITS,
    CHAMPIONS,
    TRIALS,
    TRAINING_STEPS,
)
