"""A declaration becomes a frozen dataclass with every default filled in, or an error with file, model, key, remedy."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest
from projects import small_manifest
from sklearn.linear_model import LinearRegression

from ml.declaration import LabelExpectation, predictions_in
from ml.judging.limits import Limits
from ml.models.candidates import FAMILIES
from turnout.errors import DeclarationError

COMPLETE: dict[str, Any] = {
    "task": "binary",
    "entity": "entity",
    "as_of": "day",
    "label": "outcome",
    "horizon_days": 28,
}


def expecting(**expected: Any) -> dict[str, Any]:
    return {"column": "outcome", "expect": expected}


def test_what_is_expected_of_labels_is_carried() -> None:
    (plain,) = predictions_in(small_manifest(COMPLETE))
    (alone,) = predictions_in(small_manifest({**COMPLETE, "label": {"column": "outcome"}}))
    assert plain == alone
    declared = {**COMPLETE, "label": expecting(min=0.05, max=1, by=["group", "x"])}
    (prediction,) = predictions_in(small_manifest(declared))
    assert prediction.examples.label == "outcome"
    assert prediction.expected == LabelExpectation(min=0.05, max=1.0, by=("group", "x"))


def test_defaults_are_filled_in() -> None:
    (prediction,) = predictions_in(small_manifest(COMPLETE))
    examples = prediction.examples
    assert (prediction.name, examples.schema, examples.table) == ("will_return", "predictions", "will_return")
    split, gate = prediction.split, prediction.gate
    assert (gate.metric.name, split.gap_days, split.holdout_dates) == ("log_loss", 28, 4)
    assert (prediction.groups.sensitive, prediction.serving.retrain) == ((), None)
    assert (split.group, gate.requires_approval, examples.acknowledged) == (None, False, {})


def test_the_judging_of_models_has_defaults() -> None:
    (prediction,) = predictions_in(small_manifest(COMPLETE))
    assert tuple(candidate.name for candidate in prediction.search.candidates) == FAMILIES
    assert prediction.search.has_average
    assert prediction.search.budget is None
    assert (prediction.gate.limits, prediction.gate.minimum_effect) == (Limits(), 0.005)
    assert prediction.search.baseline == "prior"


def test_candidates_are_names_or_import_paths_with_parameters_of_which_lists_are_searched() -> None:
    parameters = {"n_estimators": 300, "min_samples_leaf": [5, 20]}
    declared = {**COMPLETE, "candidates": ["linear", {"sklearn.ensemble.ExtraTreesClassifier": parameters}]}
    (prediction,) = predictions_in(small_manifest(declared))
    linear, trees = prediction.search.candidates
    assert (linear.name, linear.fixed, linear.choices) == ("linear", {}, {})
    assert (trees.fixed, trees.choices) == ({"n_estimators": 300}, {"min_samples_leaf": (5, 20)})


@pytest.mark.parametrize("group", ["entity", "group"])
def test_what_is_declared_beyond_the_defaults_is_carried(group: str) -> None:
    acknowledged = {"unstable": {"x": "It comes and goes."}, "unaudited": {"shop.products": "It has no time."}}
    declared = {**COMPLETE, "group": group, "requires_approval": True, "acknowledged": acknowledged}
    (prediction,) = predictions_in(small_manifest(declared))
    assert (prediction.split.group, prediction.gate.requires_approval) == (group, True)
    assert prediction.examples.acknowledged == acknowledged
    assert hash(prediction)


def test_the_average_is_a_candidate_where_it_is_named_or_nothing_is() -> None:
    (alone,) = predictions_in(small_manifest({**COMPLETE, "candidates": ["linear", "lightgbm"]}))
    (both,) = predictions_in(small_manifest({**COMPLETE, "candidates": ["linear", "lightgbm", "average"]}))
    assert (alone.search.has_average, both.search.has_average) == (False, True)
    assert both.search.candidates == alone.search.candidates


def test_a_holdout_is_of_the_last_dates_from_a_day_on_or_of_other_entities() -> None:
    (last,) = predictions_in(small_manifest({**COMPLETE, "holdout_dates": 12}))
    assert (last.split.holdout_dates, last.split.fold_dates) == (12, 4)
    (since,) = predictions_in(small_manifest({**COMPLETE, "holdout_from": "2010-01-01", "fold_dates": 8}))
    assert (since.split.holdout_from, since.split.fold_dates) == (date(2010, 1, 1), 8)
    (dealt,) = predictions_in(small_manifest({**COMPLETE, "split": "entity"}))
    assert (dealt.split.group, dealt.split.is_by_time) == ("entity", False)


def test_scores_of_a_regression_keep_to_what_its_label_can_be_and_learn_for_its_metric() -> None:
    declared = {**COMPLETE, "task": "regression", "metric": "mae", "label_range": {"min": 0}}
    (prediction,) = predictions_in(small_manifest(declared))
    assert all(candidate.fixed == {"objective": "absolute_error"} for candidate in prediction.search.candidates)
    features = pd.DataFrame({"x": [-1.0, 2.0]})
    line = LinearRegression().fit(features, [-1.0, 2.0])
    assert prediction.task.predict(line, features) == pytest.approx([0, 2])


@pytest.mark.parametrize("share", [10, 0.5, 100])
def test_the_treatment_share_is_a_percentage_and_everybody_by_default(share: float) -> None:
    (everybody,) = predictions_in(small_manifest(COMPLETE))
    (limited,) = predictions_in(small_manifest({**COMPLETE, "treatment_share": share}))
    assert (everybody.serving.treatment_share, limited.serving.treatment_share) == (100, share)


def test_a_group_may_be_sensitive() -> None:
    (prediction,) = predictions_in(small_manifest({**COMPLETE, "group": "group", "sensitive": ["group"]}))
    assert prediction.split.group in prediction.groups.sensitive


def test_the_metric_of_a_regression_is_its_own() -> None:
    (prediction,) = predictions_in(small_manifest({**COMPLETE, "task": "regression"}))
    assert prediction.gate.metric.name == "rmse"


def test_examples_are_a_table_and_of_versions_the_latest_counts() -> None:
    manifest = small_manifest(COMPLETE)
    (node,) = manifest["nodes"].values()
    node["config"]["materialized"] = "ephemeral"
    with pytest.raises(DeclarationError, match=r"ephemeral(?s:.)*will_return.yml, model 'will_return'"):
        predictions_in(manifest)
    node["config"]["materialized"] = "table"
    versions = {
        f"id.v{number}": {
            **node,
            "version": number,
            "latest_version": 2,
            "alias": f"of_{number}",
            "unique_id": uid,
        }
        for number, uid in ((2, "id.v2"), (1, "id.v1"))
    }
    (prediction,) = predictions_in({"nodes": versions})
    assert prediction.examples.table == "of_2"
    with pytest.raises(DeclarationError, match="version 1 is declared, but the latest one is 2"):
        predictions_in({"nodes": {"id.v1": versions["id.v1"]}})


def test_a_model_without_a_declaration_is_not_a_prediction() -> None:
    manifest = small_manifest(COMPLETE)
    for node in manifest["nodes"].values():
        node["config"]["meta"] = {}
    assert predictions_in(manifest) == ()


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        ({"horizon_days": None}, "horizon_days", "'horizon_days' is missing"),
        ({"label": None}, "label", "'label' is missing"),
        ({"task": "guess"}, "task", "'binary' or 'regression'"),
        ({"horizon_days": 0}, "horizon_days", "at least 1"),
        ({"horizon_days": "28"}, "horizon_days", "'28'"),
        ({"metric": "rmse"}, "metric", "cannot decide a binary prediction"),
        ({"metric": "roc_acu"}, "metric", "Did you mean 'roc_auc'?"),
        ({"metric": "total_bias", "task": "regression"}, "metric", "choose one of: mae, rmse, correlation"),
        ({"gap_days": 7}, "gap_days", "the horizon is 28 days"),
        ({"horizont": 3}, "horizont", "no key 'horizont'. Did you mean 'horizon_days'?"),
        ({"entity": "entty"}, "entity", "does not document. Did you mean 'entity'?"),
        ({"label": "y"}, "label", "names the column 'y'"),
        ({"sensitive": ["age"]}, "sensitive", "names the column 'age'"),
        ({"sensitive": "group"}, "sensitive", "a list of column names"),
        ({"label": "entity"}, "entity and label", "named twice"),
        ({"group": "grup"}, "group", "does not document. Did you mean 'group'?"),
        ({"group": ["group"]}, "group", "write the name of a column"),
        ({"group": "outcome"}, "group", "which is the as-of date or the label"),
        ({"group": "day"}, "group", "which is the as-of date or the label"),
        ({"requires_approval": "yes"}, "requires_approval", "write true or false"),
        ({"audit": "severe"}, "audit", "write 'lenient' or 'strict'"),
        ({"approval": True}, "approval", "Did you mean 'requires_approval'?"),
        ({"release": 10}, "release", "there is no key 'release' any more: it is 'treatment_share' now"),
        ({"severe": True}, "severe", "'requires_approval', and 'audit: strict' for audits"),
        ({"reduce": 5}, "reduce", "it is 'max_features' now"),
        ({"leave_out": "group"}, "leave_out", "it is 'unseen_groups' now"),
        ({"baseline": "own_past"}, "baseline", "'prior' or 'entity_mean'"),
        ({"acknowledged": {"twins": {"x": "So."}}}, "acknowledged.twins", "it is 'duplicate_entities' now"),
        ({"candidates": ["lightgm"]}, "candidates", "there is no candidate 'lightgm'. Did you mean 'lightgbm'?"),
        ({"candidates": []}, "candidates", "'candidates' is empty"),
        ({"candidates": ["linear", "linear"]}, "candidates", "is named twice"),
        ({"candidates": "linear"}, "candidates", "write a list of names"),
        ({"candidates": [{"linear": {}, "xgboost": {}}]}, "candidates", "an entry of 'candidates' names 2"),
        ({"candidates": [{"xgboost": {"max_depth": []}}]}, "candidates", "has no value to choose"),
        ({"baseline": "last_year"}, "baseline", "'prior' or 'entity_mean'"),
        ({"max_features": 0}, "max_features", "at least 1"),
        ({"candidates": ["linear", "average"]}, "candidates", "the candidate 'average' is that of 'linear' alone"),
        ({"candidates": ["average"]}, "candidates", "'candidates' is empty"),
        ({"label_range": {"min": 0}}, "label_range", "a binary prediction has no range of labels"),
        ({"label_range": {"least": 0}}, "label_range.least", "'label_range' has no key 'least'"),
        ({"holdout_dates": 4, "holdout_from": "2010-01-01"}, "holdout_from", "both 'holdout_dates' and 'holdout_from'"),
        ({"holdout_from": "yesterday"}, "holdout_from", "'holdout_from' is 'yesterday'"),
        ({"split": "entty"}, "split", "'split' names the column 'entty'"),
        ({"split": "entity", "gap_days": 40}, "split", "and 'gap_days' has no meaning"),
        ({"search": {"trails": 3}}, "search.trails", "'search' has no key 'trails'. Did you mean 'trials'?"),
        ({"search": {"seconds": "long"}}, "search.seconds", "'seconds' of 'search' is 'long'"),
        ({"limits": {"slice_dorp": 0.1}}, "limits.slice_dorp", "Did you mean 'slice_drop'?"),
        ({"limits": {"worst_group": "bad"}}, "limits.worst_group", "'worst_group' of 'limits' is 'bad'"),
        ({"treatment_share": 0}, "treatment_share", "'treatment_share' is 0."),
        ({"treatment_share": 101}, "treatment_share", "a percentage above 0, at most 100"),
        ({"treatment_share": "10%"}, "treatment_share", "'10%'"),
        ({"treatment_share": True}, "treatment_share", "a percentage above 0, at most 100"),
        ({"ignore": "x"}, "ignore", "a list of column names"),
        ({"ignore": ["y"]}, "ignore", "names the column 'y'"),
        ({"ignore": ["entity"]}, "ignore", "which has a role of its own"),
        ({"label": 3}, "label", "the name of a column, or with what is to be expected of it"),
        ({"label": {"expect": {"min": 0}}}, "label.column", "'column' is missing"),
        ({"label": {"column": "outcom"}}, "label", "names the column 'outcom'"),
        ({"label": {"column": "outcome", "exepct": {}}}, "label.exepct", "'label' has no key 'exepct'. Did you mean"),
        ({"label": expecting(mn=0.1)}, "label.expect.mn", "'expect' has no key 'mn'. Did you mean 'min'?"),
        ({"label": expecting(min="5%")}, "label.expect.min", "'min' of 'expect' of 'label' is '5%'"),
        ({"label": expecting(by="group")}, "label.expect.by", "'by' of 'expect' of 'label' is 'group'"),
        ({"label": expecting(by=["grup"])}, "label.expect.by", "does not document. Did you mean 'group'?"),
        ({"label": expecting(by=["entity"])}, "label.expect.by", "which is part of the key, the label itself, or"),
        ({"label": expecting(by=["group", "group"])}, "label.expect.by", "named twice"),
        ({"label": expecting(min=0.5, max=0.5)}, "label.expect", "at least 0.5 and at most 0.5 is expected"),
        ({"candidates": ["os.path;import os"]}, "candidates", "'os.path;import os' is no import path"),
        ({"candidates": ["shop..model"]}, "candidates", "is no import path"),
        ({"candidates": [{"subprocess.check_output": {"args": "date"}}]}, "candidates", "Python's own library"),
        ({"task": "os.system"}, "task", "Python's own library"),
        ({"slices": ["x > 1"]}, "slices", "a condition in SQL for each name"),
        ({"minimum_effect": -1}, "minimum_effect", "a share, such as 0.005"),
        ({"acknowledged": ["unstable"]}, "acknowledged", "'acknowledged' is ['unstable']"),
        ({"acknowledged": {"unstable": "x"}}, "acknowledged.unstable", "'unstable' of 'acknowledged' is 'x'"),
        ({"acknowledged": {"unstable": {"x": 1}}}, "acknowledged.unstable.x", "'x' of 'unstable' of 'acknowledged' is"),
        ({"acknowledged": {"instable": {"x": "So."}}}, "acknowledged.instable", "Did you mean 'unstable'?"),
        ({"acknowledged": {"unstable": {"grup": "So."}}}, "acknowledged.unstable", "Did you mean 'group'?"),
        ({"acknowledged": {"unstable": {"x": " "}}}, "acknowledged.unstable.x", "without a reason"),
        ({"acknowledged": {"unaudited": {"products": "So."}}}, "acknowledged.unaudited", "which is no source"),
    ],
)
def test_a_mistake_names_file_model_key_and_remedy(change: dict[str, Any], key: str, words: str) -> None:
    declared = {name: value for name, value in {**COMPLETE, **change}.items() if value is not None}
    with pytest.raises(DeclarationError) as caught:
        predictions_in(small_manifest(declared))
    assert words in str(caught.value)
    assert "models/predictions/will_return.yml, model 'will_return'" in caught.value.where
    assert f"config.meta.prediction.{key}" in caught.value.where
    assert caught.value.remedy


@pytest.mark.parametrize("declared", [None, [], "binary"])
def test_an_empty_declaration_says_what_it_needs(declared: object) -> None:
    with pytest.raises(DeclarationError, match="task, entity, as_of, label, horizon_days"):
        predictions_in(small_manifest(declared))


def test_what_tells_who_somebody_is_cannot_be_a_feature() -> None:
    manifest = small_manifest(COMPLETE)
    (model,) = manifest["nodes"].values()
    model["columns"]["x"]["config"] = {"tags": ["personal"]}
    with pytest.raises(DeclarationError, match=r"the column 'x' is tagged 'personal'(.|\n)*Join it in a mart"):
        predictions_in(manifest)


def test_the_column_of_unseen_groups_is_named_once_and_exists() -> None:
    (prediction,) = predictions_in(small_manifest({**COMPLETE, "unseen_groups": "group"}))
    assert prediction.groups.columns == ("group",)
    with pytest.raises(DeclarationError, match=r"named twice \(sensitive and unseen_groups\)"):
        predictions_in(small_manifest({**COMPLETE, "unseen_groups": "group", "sensitive": ["group"]}))


@pytest.mark.parametrize("key", ["entity", "as_of"])
@pytest.mark.parametrize("name", ["score", "Scored_At", "is_treated", "model_version", "reason_2_effect"])
def test_a_key_that_is_called_as_our_own_columns_is_refused(key: str, name: str) -> None:
    columns = (name, *(column for column in ("entity", "day", "outcome") if column != COMPLETE[key]))
    with pytest.raises(
        DeclarationError, match=f"'{key}' names the column '{name}', and so is a column of every"
    ) as caught:
        predictions_in(small_manifest({**COMPLETE, key: name}, columns))
    assert f"config.meta.prediction.{key}" in caught.value.where
    assert "taken are score, is_treated, model_version, scored_at, reason_1" in str(caught.value.remedy)
