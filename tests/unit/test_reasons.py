"""Each score comes with the features that moved it most: what is told adds up to the prediction, and is true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lightgbm import LGBMClassifier, LGBMRegressor
from projects import small_manifest
from scipy.special import logit
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.feature_selection import SelectFromModel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from worlds import PROVENANCE, World
from xgboost import XGBClassifier, XGBRegressor

from ml.declaration import predictions_in
from ml.models.contributions import explainer_of, importance_of
from ml.models.estimators import Average
from ml.models.feature import Feature
from ml.models.reasons import PLACES, reason_fields, reasons, shown_values
from ml.serving.scoring import score
from ml.tasks import BINARY, REGRESSION, Task
from ml.training.training import train

# Names that begin like each other, and a category that makes them meet: "a_b" of "c", and "a" of "b_c".
FEATURES = (
    Feature("a", "categorical"),
    Feature("x", "numeric"),
    Feature("a_b", "categorical"),
    Feature("x_with_gaps", "numeric"),
    Feature("noise", "numeric"),
    Feature("constant", "numeric"),
)
NUMERIC = ["x", "x_with_gaps", "noise", "constant"]
CATEGORICAL = ["a", "a_b"]
ROWS = 2_000


def frame_of(rows: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "a": random.choice(["b_c", "d", "rare"], rows, p=[0.5, 0.49, 0.01]),
            "x": random.normal(size=rows),
            "a_b": random.choice(["c", "e", "f", "g", None], rows),
            "x_with_gaps": np.where(random.random(rows) < 0.2, np.nan, random.exponential(size=rows)),
            "noise": random.integers(0, 9, rows).astype(float),
            "constant": 1.0,
        }
    )
    return frame.astype({"a": object, "a_b": object})


def raw_of(frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    values = frame["x"] + 2 * (frame["a"] == "d") * (frame["x"] > 0) + frame["x_with_gaps"].fillna(-1)
    return (values + frame["a_b"].isin(["e", "g"])).to_numpy(float)


FRAME = frame_of(ROWS)
NEW = frame_of(300, seed=1)
NEW.loc[:20, "a_b"] = "never seen"
LABELS: dict[Task, Any] = {
    REGRESSION: raw_of(FRAME),
    BINARY: (raw_of(FRAME) + np.random.default_rng(2).logistic(size=ROWS) > 1).astype(int),
}


def linear(estimator: Any) -> Pipeline:
    numeric = Pipeline([("impute", SimpleImputer(strategy="median", add_indicator=True)), ("scale", StandardScaler())])
    encode = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=50, sparse_output=False)
    categorical = Pipeline([("encode", encode), ("centre", StandardScaler(with_std=False))])
    parts = [("numeric", numeric, NUMERIC), ("categorical", categorical, CATEGORICAL)]
    return Pipeline([("preprocess", ColumnTransformer(parts)), ("estimator", estimator)])


def trees(estimator: Any) -> Pipeline:
    encode = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan, max_categories=254
    )
    parts = [("numeric", "passthrough", NUMERIC), ("categorical", encode, CATEGORICAL)]
    return Pipeline([("preprocess", ColumnTransformer(parts)), ("estimator", estimator)])


def boosting(kind: Any) -> Any:
    return kind(max_iter=30, max_leaf_nodes=15, early_stopping=False, random_state=0)


FAMILIES: dict[str, tuple[Task, Callable[[], Pipeline]]] = {
    "linear": (BINARY, lambda: linear(LogisticRegression())),
    "linear regression": (REGRESSION, lambda: linear(Ridge())),
    "hist_gradient_boosting": (BINARY, lambda: trees(boosting(HistGradientBoostingClassifier))),
    "hist_gradient_boosting regression": (REGRESSION, lambda: trees(boosting(HistGradientBoostingRegressor))),
    "lightgbm": (BINARY, lambda: trees(LGBMClassifier(n_estimators=30, verbose=-1))),
    "lightgbm regression": (REGRESSION, lambda: trees(LGBMRegressor(n_estimators=30, verbose=-1))),
    "xgboost": (BINARY, lambda: trees(XGBClassifier(n_estimators=30, max_depth=4))),
    "xgboost regression": (REGRESSION, lambda: trees(XGBRegressor(n_estimators=30, max_depth=4))),
    "forest": (BINARY, lambda: trees(RandomForestClassifier(10, max_depth=6, random_state=0))),
    "forest regression": (REGRESSION, lambda: trees(ExtraTreesRegressor(10, max_depth=6, random_state=0))),
}


def raw_prediction(name: str, fitted: Any, frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    task, _ = FAMILIES[name]
    predicted = task.predict(fitted, frame)
    return logit(predicted) if task is BINARY and name != "forest" else predicted


def test_the_reasons_of_an_average_are_the_average_of_reasons() -> None:
    names = ("linear", "hist_gradient_boosting", "lightgbm", "xgboost")
    members = [(name, FAMILIES[name][1]().fit(FRAME, LABELS[BINARY])) for name in names]
    average = Average(members)
    together = explainer_of(average, BINARY, FEATURES)
    alone = [explainer_of(member, BINARY, FEATURES) for _, member in members]
    assert together is not None
    mean = np.mean([one.contributions(NEW) for one in alone if one is not None], axis=0)
    assert together.contributions(NEW) == pytest.approx(mean)
    assert together.base == pytest.approx(np.mean([one.base for one in alone if one is not None]))
    # A forest's are of the probability, where the others' are of the log-odds: they have no average.
    mixed = Average([*members, ("forest", FAMILIES["forest"][1]().fit(FRAME, LABELS[BINARY]))])
    assert explainer_of(mixed, BINARY, FEATURES) is None


@pytest.mark.parametrize("reduce", [False, True], ids=["all features", "some features"])
@pytest.mark.parametrize("name", FAMILIES)
def test_base_and_contributions_add_up_to_the_prediction(name: str, reduce: bool) -> None:
    task, make = FAMILIES[name]
    pipeline = make()
    if reduce:
        pipeline.steps.insert(1, ("reduce", SelectFromModel(boosting_of_columns(task), max_features=3, threshold=-1)))
    pipeline.fit(FRAME, LABELS[task])
    explainer = explainer_of(pipeline, task, FEATURES)
    assert explainer is not None
    contributions = explainer.contributions(NEW)
    assert contributions.shape == (len(NEW), len(FEATURES))
    single = 1e-4 if "xgboost" in name else 1e-9
    assert explainer.base + contributions.sum(axis=1) == pytest.approx(raw_prediction(name, pipeline, NEW), abs=single)
    assert not contributions[:, 5].any(), "a constant moves nothing"
    # From the average: over the rows it learned from, what moves up and what moves down is about the same.
    average = raw_prediction(name, pipeline, FRAME).mean()
    assert explainer.base == pytest.approx(average, abs=0.5)


def boosting_of_columns(task: Task) -> Any:
    return (LGBMClassifier if task is BINARY else LGBMRegressor)(n_estimators=5, verbose=-1)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_feature_that_alone_decides_is_what_moved_the_score(name: str) -> None:
    task, make = FAMILIES[name]
    for feature in ("a", "a_b", "x"):
        decides = FRAME[feature].isin(["d", "c"]) if feature != "x" else FRAME["x"] > 0
        importance = importance_of(make().fit(FRAME, decides.astype(int)), task, FEATURES, FRAME)
        assert importance is not None
        first, second = list(importance.items())[:2]
        assert first[0] == feature
        assert first[1] > 5 * second[1]


def test_a_recalibrated_model_is_moved_as_far_as_its_slope_says() -> None:
    @dataclass
    class Recalibrated:
        pipeline: Pipeline
        slope: float
        intercept: float

    pipeline = linear(LogisticRegression()).fit(FRAME, LABELS[BINARY])
    plain = explainer_of(pipeline, BINARY, FEATURES)
    recalibrated = explainer_of(Recalibrated(pipeline, 0.5, 0.1), BINARY, FEATURES)
    assert plain is not None
    assert recalibrated is not None
    assert recalibrated.contributions(NEW) == pytest.approx(0.5 * plain.contributions(NEW))
    assert recalibrated.base == pytest.approx(0.5 * plain.base + 0.1)


def test_what_nobody_can_explain_has_no_reasons() -> None:
    neighbours = linear(KNeighborsClassifier()).fit(FRAME, LABELS[BINARY])
    mixed = linear(LogisticRegression())
    mixed.steps.insert(1, ("reduce", PCA(2)))
    # SHAP would take its splits by category for splits by number.
    by_category = trees(HistGradientBoostingClassifier(categorical_features=[4, 5])).fit(FRAME, LABELS[BINARY])
    huge = trees(RandomForestClassifier(300, random_state=0)).fit(FRAME, LABELS[BINARY])
    for fitted in (neighbours, mixed.fit(FRAME, LABELS[BINARY]), by_category, huge):
        assert explainer_of(fitted, BINARY, FEATURES) is None
        assert importance_of(fitted, BINARY, FEATURES, FRAME) is None


def told(contributions: list[list[float]], columns: dict[str, pa.Array], titles: dict[str, str]) -> pa.Table:
    batch = pa.record_batch(columns)
    features = [Feature(name, "numeric") for name in columns]
    found = reasons(batch, features, titles, np.array(contributions))
    return pa.table(found, schema=pa.schema(reason_fields()))


def test_reasons_are_in_words_with_the_value_a_reader_knows() -> None:
    columns = {
        "days": pa.array([41, None, 1234567]),
        "is_member": pa.array([True, False, None]),
        "since": pa.array([date(2024, 1, 31), None, date(2024, 2, 1)]),
        "kind": pa.array(["fresh, or not", None, "b"]),
    }
    table = told(
        [[3.0, -2.0, 1.0, 0.5], [0.0, -2.0, 0.0, -3.0], [0.0, 0.0, 0.0, 0.0]],
        columns,
        {"days": "days since the last purchase", "is_member": "is a member", "kind": "kind"},
    )
    assert [table[f"reason_{place}"].to_pylist() for place in (1, 2, 3)] == [
        ["days since the last purchase: 41, which raises the score", "kind: not known, which lowers the score", None],
        ["is a member: yes, which lowers the score", "is a member: no, which lowers the score", None],
        ["since: 2024-01-31, which raises the score", None, None],
    ]
    assert table["reason_1_feature"].to_pylist() == ["days", "kind", None]
    assert table["reason_1_value"].to_pylist() == ["41", None, None]
    assert table["reason_1_effect"].to_pylist() == [3.0, -3.0, None]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (41.0, "41"),
        (1234567.0, "1,234,567"),
        (1234.567, "1,235"),
        (12.96, "13"),
        (-0.5, "-0.5"),
        (0.066666, "0.0667"),
        (0.00012345, "0.000123"),
        (1.2345e-9, "1.23e-09"),
        (1.2e18, "1.2e+18"),
        (-0.0, "0"),
        (float("nan"), None),
    ],
)
def test_numbers_are_shown_shortly(value: float, shown: str | None) -> None:
    assert shown_values(pa.array([value])).to_pylist() == [shown]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_three_that_moved_it_most_are_told_strongest_first(data: st.DataObject) -> None:
    rows, features = data.draw(st.integers(0, 6)), data.draw(st.integers(1, 6))
    effects = st.sampled_from([0.0, 0.1, -0.1, 2.0, -3.5, 1e-9])
    contributions = [[data.draw(effects) for _ in range(features)] for _ in range(rows)]
    columns = {f"f{place}": pa.array([float(place * 10 + row) for row in range(rows)]) for place in range(features)}
    table = told(contributions or np.zeros((0, features)).tolist(), columns, {})
    for row, moved in enumerate(contributions):
        largest = max(map(abs, moved))
        strongest = sorted((place for place in range(features) if abs(moved[place]) > 1e-6 * largest),
                           key=lambda place: -abs(moved[place]))  # fmt: skip
        for place in range(PLACES):
            found = [table[f"reason_{place + 1}{part}"][row].as_py() for part in ("", "_feature", "_value", "_effect")]
            if place >= len(strongest):
                assert found == [None] * 4
                continue
            feature, value = f"f{strongest[place]}", f"{strongest[place] * 10 + row}"
            direction = "raises" if moved[strongest[place]] > 0 else "lowers"
            words = f"{feature}: {value}, which {direction} the score"
            assert found == [words, feature, value, moved[strongest[place]]]


def test_scores_come_with_reasons_also_into_a_table_from_before(world: World) -> None:
    train(world.warehouse, world.prediction, world.models, PROVENANCE)
    world.change(
        """create schema scores;
           create table scores.will_return as
           select entity, date '2024-05-12' as day, 0.5 as score, 0 as model_version, now()::timestamp as scored_at
           from range(3) as entities(entity)"""
    )
    world.declare(titles={"strength": "how strong it is"})
    score(world.warehouse, world.prediction, world.models)
    assert world.rows("select count(*), count(reason_1) from scores.will_return where day = '2024-05-12'") == [(3, 0)]
    rows = world.rows(
        """select reason_1, reason_1_feature, reason_1_effect, strength
           from scores.will_return inner join predictions.will_return using (entity, day)
           where day > '2024-05-12'"""
    )
    assert len(rows) == 200
    strong = [row for row in rows if row[1] == "strength"]
    assert len(strong) > 150, "the outcome follows from strength"
    for words, _, effect, value in strong:
        assert str(words).startswith("how strong it is: 0")
        assert str(words).endswith("raises the score" if float(str(effect)) > 0 else "lowers the score")
        assert abs(float(str(value)) - 0.5) < 0.2 or (float(str(effect)) > 0) == (float(str(value)) > 0.5)


def test_where_reasons_are_switched_off_scores_come_without(world: World) -> None:
    train(world.warehouse, world.prediction, world.models, PROVENANCE)
    world.declare(reasons=False)
    score(world.warehouse, world.prediction, world.models)
    assert world.rows("select count(score), count(reason_1), count(reason_1_effect) from scores.will_return") == [
        (200, 0, 0)
    ]


def test_a_title_is_declared_or_the_descriptions_first_sentence_or_the_name() -> None:
    manifest = small_manifest({"task": "binary", "entity": "entity", "as_of": "day", "label": "outcome",
                               "horizon_days": 7})  # fmt: skip
    (node,) = manifest["nodes"].values()
    descriptions = {
        "first": "Days since the `last`\npurchase. 1 is the day before.",
        "acronym": "GDP of the county.",
        "long_story": "word " * 30,
        "said_nothing": "",
    }
    node["columns"] |= {name: {"name": name, "description": words} for name, words in descriptions.items()}
    node["columns"]["titled"] = {"name": "titled", "description": "Short.", "config": {"meta": {"title": "Its title"}}}
    (prediction,) = predictions_in(manifest)
    assert {name: prediction.documentation.titles[name] for name in (*descriptions, "titled")} == {
        "first": "days since the last purchase",
        "acronym": "GDP of the county",
        "long_story": "long story",
        "said_nothing": "said nothing",
        "titled": "Its title",
    }
