"""From dbt's manifest to predictions: each declaration is validated, checked, and completed with its defaults."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping, Sequence
from keyword import iskeyword
from typing import Any

from ml.declaration.checks import check
from ml.declaration.keys import BY_TIME, NESTED_KEYS, RENAMED_KEYS, TYPES_IN_WORDS, Declaration
from ml.declaration.parts import Documentation, ReportedGroups, SearchPlan, Serving, SplitPlan
from ml.declaration.prediction import Prediction
from ml.judging.gate import Gate
from ml.models.candidates import AVERAGE, FAMILIES, Candidate
from ml.tasks import Task, task_named
from turnout.declarations import Mistake, Place, validated
from turnout.errors import TurnoutError, did_you_mean
from turnout.project.examples_table import ExamplesTable
from turnout.project.manifest import declared_predictions, is_ephemeral

Manifest = Mapping[str, Any]

RULE = "a prediction is declared completely and exactly, so that nothing is guessed."

# As-of dates of a holdout, and of a fold at most, where nothing is declared.
HOLDOUT_DATES = 4

# A description's first sentence, if it is no longer, is what a reader calls the column.
MAX_TITLE = 80


def predictions_in(manifest: Manifest) -> tuple[Prediction, ...]:
    """Return the declared predictions, by name.

    Parameters
    ----------
    manifest : mapping
        The content of dbt's `manifest.json`.

    Raises
    ------
    DeclarationError
        On the first mistake, with file, model, key and remedy.
    """
    by_name = declared_predictions(manifest)
    for node in manifest["nodes"].values():
        _check_version(node, by_name)
    declared = (_prediction(manifest["nodes"][node_id]) for node_id in by_name.values())
    return tuple(sorted(declared, key=lambda prediction: prediction.name))


def _check_path(path: str, place: Place, key: str) -> None:
    """Refuse what cannot be the import path of something to learn with, before anything is imported."""
    parts = path.split(".")
    if not all(part.isidentifier() and not iskeyword(part) for part in parts):
        raise place.error(
            f"'{path}' is no import path.",
            "write names with a dot between one and the next, such as sklearn.ensemble.ExtraTreesClassifier.",
            key,
        )
    if parts[0] in sys.stdlib_module_names:
        raise place.error(
            f"'{path}' stands in Python's own library, which holds nothing to learn with.",
            "name an estimator of scikit-learn's kind, or a function of your own that returns one.",
            key,
        )


def _check_version(node: Mapping[str, Any], declared: Collection[str]) -> None:
    """Refuse a declaration that stands only at a version which `ref` does not mean: nobody would hear of it."""
    is_model = node["resource_type"] == "model" and "prediction" in node["config"]["meta"]
    if is_model and node["name"] not in declared:
        raise _place_of(node).error(
            f"version {node['version']} is declared, but the latest one is {node['latest_version']}, which is not.",
            "declare it for the latest version, or for all of them, beside 'versions'.",
        )


def _file_of(node: Mapping[str, Any]) -> str:
    # The patch path is the YAML file, "project://models/x.yml"; a declaration inside the SQL has none.
    file: str = (node["patch_path"] or node["original_file_path"]).split("://")[-1]
    return file


def _place_of(node: Mapping[str, Any]) -> Place:
    return Place(f"{_file_of(node)}, model '{node['name']}'", "config.meta.prediction", RULE)


def _prediction(node: Mapping[str, Any]) -> Prediction:
    file, place = _file_of(node), _place_of(node)
    declaration = _validated(node["config"]["meta"]["prediction"], place)
    if "." in declaration.task:
        _check_path(declaration.task, place, "task")
    task = task_named(declaration.task, f"{place.where}, key '{place.keys}.task'")
    check(declaration, task, node["columns"], place)
    if is_ephemeral(node):
        raise place.error(
            "the model is ephemeral, so there is no table of examples to learn from.",
            "leave 'materialized: ephemeral' out: the layer of predictions makes tables.",
        )
    task = _within_range(declaration, task, place)
    metric = task.metrics[declaration.metric or task.default_metric]
    candidates, with_average = _candidates(declaration.candidates, task, metric.name, place)
    return Prediction(
        examples=_examples(node, file, declaration),
        task=task,
        ignored=declaration.ignore,
        expected=declaration.label.expect,
        groups=ReportedGroups(
            sensitive=declaration.sensitive,
            unseen_groups=declaration.unseen_groups,
            slices=declaration.slices,
        ),
        split=_split(declaration),
        search=SearchPlan(
            candidates=candidates,
            with_average=with_average,
            baseline=declaration.baseline,
            max_features=declaration.max_features,
            budget=declaration.search,
            trusted_types=declaration.trusted_types,
        ),
        gate=Gate(
            metric=metric,
            minimum_effect=declaration.minimum_effect,
            limits=declaration.limits,
            requires_approval=declaration.requires_approval,
        ),
        serving=Serving(
            treatment_share=declaration.treatment_share,
            reasons=declaration.reasons,
            retrain=declaration.retrain,
        ),
        documentation=Documentation(
            description=node["description"],
            titles={name: _title(name, column) for name, column in node["columns"].items()},
        ),
    )


def _examples(node: Mapping[str, Any], file: str, declaration: Declaration) -> ExamplesTable:
    return ExamplesTable(
        name=node["name"],
        unique_id=node["unique_id"],
        schema=node["schema"],
        table=node["alias"],
        file=file,
        entity=declaration.entity,
        as_of=declaration.as_of,
        label=declaration.label.column,
        horizon_days=declaration.horizon_days,
        arrival_days=declaration.arrival_days,
        audit=declaration.audit,
        audit_entities=declaration.audit_entities,
        acknowledged=declaration.acknowledged,
    )


def _within_range(declaration: Declaration, task: Task, place: Place) -> Task:
    """Return the task, whose predictions keep to the declared range."""
    declared = declaration.label_range
    if declared is None:
        return task
    held = task.within(declared.min, declared.max)
    if held is None:
        raise place.error(f"a {task.name} prediction has no range of labels.", "leave it out.", "label_range")
    if declared.min is not None and declared.max is not None and declared.min >= declared.max:
        raise place.error(
            f"'min' is {declared.min:g} and 'max' is {declared.max:g}.", "let min be less than max.", "label_range"
        )
    return held


def _split(declaration: Declaration) -> SplitPlan:
    is_by_time = declaration.split == BY_TIME
    holdout_dates = declaration.holdout_dates or HOLDOUT_DATES
    return SplitPlan(
        gap_days=declaration.gap_days or declaration.horizon_days,
        holdout_dates=holdout_dates,
        holdout_from=declaration.holdout_from,
        fold_dates=declaration.fold_dates or min(holdout_dates, HOLDOUT_DATES),
        group=declaration.group if is_by_time else declaration.split,
        is_by_time=is_by_time,
        sample=declaration.sample,
    )


def _title(name: str, column: Mapping[str, Any]) -> str:
    title = column.get("config", {}).get("meta", {}).get("title")
    if isinstance(title, str) and title.strip():
        return title.strip()
    words = " ".join(column.get("description", "").replace("`", "").split())
    sentence = re.split(r"(?<=[.!?])\s", words)[0].rstrip(".")
    if not 0 < len(sentence) <= MAX_TITLE:
        return name.replace("_", " ")
    first_word = sentence.split()[0]
    is_acronym = len(first_word) > 1 and first_word[1].isupper()
    return sentence if is_acronym else sentence[0].lower() + sentence[1:]


def _validated(declared: object, place: Place) -> Declaration:
    def wrong(mistake: Mistake) -> TurnoutError:
        what, path = mistake.what, mistake.path
        remedy = mistake.remedy(TYPES_IN_WORDS.get(path[0], "a name") if path else "")
        if len(path) > 1:
            key = path[0]
            remedy = f"write {TYPES_IN_WORDS.get(key, 'a name')}."
            if key not in NESTED_KEYS:
                assert isinstance(declared, Mapping)  # there is a key
                what, path = f"'{key}' is {declared[key]!r}.", (key,)
            elif mistake.kind == "unknown":
                what = f"'{path[-2]}' has no key '{path[-1]}'.{did_you_mean(path[-1], mistake.keys)}"
        return place.error(what, remedy, ".".join(path) or None)

    if isinstance(declared, Mapping) and isinstance(declared.get("label"), str):
        declared = {**declared, "label": {"column": declared["label"]}}
    return validated(Declaration, declared, wrong, RENAMED_KEYS)


def _candidates(
    declared: Sequence[str | Mapping[str, Mapping[str, Any]]] | None, task: Task, metric: str, place: Place
) -> tuple[tuple[Candidate, ...], bool]:
    """Return the candidates, and whether their average is one as well.

    A list of values for a parameter is searched, all other values are fixed.
    """
    found: dict[str, Candidate] = {}
    families = [family for family in FAMILIES if family in task.families]
    if declared is None:
        return tuple(Candidate(family, task.parameters_for(metric)) for family in families), True
    for entry in declared:
        if isinstance(entry, Mapping) and len(entry) != 1:
            raise place.error(
                f"an entry of 'candidates' names {len(entry)} candidates: {', '.join(entry)}.",
                "begin each with a dash of its own.",
                "candidates",
            )
        (name, parameters), *_ = [(entry, {})] if isinstance(entry, str) else entry.items()
        if name not in {*families, AVERAGE} and "." not in name:
            raise place.error(
                f"a {task.name} prediction has no candidate '{name}'."
                if name in FAMILIES
                else f"there is no candidate '{name}'.{did_you_mean(name, [*families, AVERAGE])}",
                f"name any of {', '.join(families)}, their {AVERAGE}, or the import path of an estimator, such as "
                "sklearn.ensemble.ExtraTreesClassifier.",
                "candidates",
            )
        _check_path(name, place, "candidates")
        if name in found:
            raise place.error(f"the candidate '{name}' is named twice.", "name it once.", "candidates")
        if name == AVERAGE and parameters:
            raise place.error(
                f"the candidate '{AVERAGE}' has parameters.", "name it alone: all others count the same.", "candidates"
            )
        choices = {key: tuple(value) for key, value in parameters.items() if isinstance(value, list)}
        if empty := [key for key, values in choices.items() if not values]:
            raise place.error(
                f"the parameter '{empty[0]}' of '{name}' has no value to choose.", "list some.", "candidates"
            )
        ours = task.parameters_for(metric) if name in families and "objective" not in parameters else {}
        fixed = {**ours, **{key: parameters[key] for key in parameters if key not in choices}}
        found[name] = Candidate(name, fixed, choices)
    members = tuple(candidate for candidate in found.values() if not candidate.is_average)
    if not members:
        raise place.error("'candidates' is empty.", "leave it out, or name at least one.", "candidates")
    if AVERAGE in found and len(members) == 1:
        raise place.error(
            f"the candidate '{AVERAGE}' is that of '{members[0].name}' alone.",
            "name at least two others, or leave it out.",
            "candidates",
        )
    return members, AVERAGE in found
