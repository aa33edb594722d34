"""From dbt's manifest to predictions: each declaration is validated, checked, and completed with its defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ml.declaration.checks import check
from ml.declaration.keys import NESTED_KEYS, RENAMED_KEYS, TYPES_IN_WORDS, Declaration
from ml.declaration.parts import Documentation, ReportedGroups, SearchPlan, Serving, SplitPlan
from ml.declaration.prediction import Prediction
from ml.judging.gate import Gate
from ml.models.candidates import FAMILIES, Candidate
from ml.tasks import Task, task_named
from turnout.declarations import Mistake, Place, validated
from turnout.errors import TurnoutError, did_you_mean
from turnout.project.examples_table import ExamplesTable
from turnout.project.manifest import declared_predictions

Manifest = Mapping[str, Any]

RULE = "a prediction is declared completely and exactly, so that nothing is guessed."

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
    declared = (_prediction(manifest["nodes"][node_id]) for node_id in declared_predictions(manifest).values())
    return tuple(sorted(declared, key=lambda prediction: prediction.name))


def _prediction(node: Mapping[str, Any]) -> Prediction:
    # The patch path is the YAML file, "project://models/x.yml"; a declaration inside the SQL has none.
    file = (node["patch_path"] or node["original_file_path"]).split("://")[-1]
    place = Place(f"{file}, model '{node['name']}'", "config.meta.prediction", RULE)
    declaration = _validated(node["config"]["meta"]["prediction"], place)
    task = task_named(declaration.task, f"{place.where}, key '{place.keys}.task'")
    check(declaration, task, node["columns"], place)
    return Prediction(
        examples=_examples(node, file, declaration),
        task=task,
        groups=ReportedGroups(
            sensitive=declaration.sensitive,
            unseen_groups=declaration.unseen_groups,
            slices=declaration.slices,
        ),
        split=SplitPlan(
            gap_days=declaration.gap_days or declaration.horizon_days,
            holdout_dates=declaration.holdout_dates,
            group=declaration.group,
            sample=declaration.sample,
        ),
        search=SearchPlan(
            candidates=_candidates(declaration.candidates, task, place),
            baseline=declaration.baseline,
            max_features=declaration.max_features,
            budget=declaration.search,
            trusted_types=declaration.trusted_types,
        ),
        gate=Gate(
            metric=task.metrics[declaration.metric or task.default_metric],
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
        label=declaration.label,
        horizon_days=declaration.horizon_days,
        arrival_days=declaration.arrival_days,
        audit=declaration.audit,
        audit_entities=declaration.audit_entities,
        acknowledged=declaration.acknowledged,
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
                what = f"'{key}' has no key '{path[1]}'.{did_you_mean(path[1], mistake.keys)}"
        return place.error(what, remedy, ".".join(path) or None)

    return validated(Declaration, declared, wrong, RENAMED_KEYS)


def _candidates(
    declared: Sequence[str | Mapping[str, Mapping[str, Any]]] | None, task: Task, place: Place
) -> tuple[Candidate, ...]:
    """Return the candidates; a list of values for a parameter is searched, all other values are fixed."""
    found: dict[str, Candidate] = {}
    families = [family for family in FAMILIES if family in task.families]
    for entry in families if declared is None else declared:
        if isinstance(entry, Mapping) and len(entry) != 1:
            raise place.error(
                f"an entry of 'candidates' names {len(entry)} candidates: {', '.join(entry)}.",
                "begin each with a dash of its own.",
                "candidates",
            )
        (name, parameters), *_ = [(entry, {})] if isinstance(entry, str) else entry.items()
        if name not in families and "." not in name:
            raise place.error(
                f"a {task.name} prediction has no candidate '{name}'."
                if name in FAMILIES
                else f"there is no candidate '{name}'.{did_you_mean(name, families)}",
                f"name any of {', '.join(families)}, or the import path of an estimator, such as "
                "sklearn.ensemble.ExtraTreesClassifier.",
                "candidates",
            )
        if name in found:
            raise place.error(f"the candidate '{name}' is named twice.", "name it once.", "candidates")
        choices = {key: tuple(value) for key, value in parameters.items() if isinstance(value, list)}
        if empty := [key for key, values in choices.items() if not values]:
            raise place.error(
                f"the parameter '{empty[0]}' of '{name}' has no value to choose.", "list some.", "candidates"
            )
        found[name] = Candidate(name, {key: parameters[key] for key in parameters if key not in choices}, choices)
    if not found:
        raise place.error("'candidates' is empty.", "leave it out, or name at least one.", "candidates")
    return tuple(found.values())
