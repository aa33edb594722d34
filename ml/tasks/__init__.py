"""Kinds of questions, an object each: label, metrics, baselines, estimators, calibration, pictures, words, scores.

Nobody outside of this package asks which task it is. A new kind of question is one more `Task`, which a declaration
names by its import path, or by its name once it stands in `TASKS`.
"""

from __future__ import annotations

from importlib import import_module

from ml.tasks.binary import BINARY
from ml.tasks.regression import REGRESSION
from ml.tasks.task import Task
from turnout.errors import DeclarationError, did_you_mean

__all__ = ["BINARY", "REGRESSION", "TASKS", "Task", "task_named"]

TASKS = {task.name: task for task in (BINARY, REGRESSION)}


def task_named(name: str, where: str) -> Task:
    """Return the task that a declaration or a record names.

    Parameters
    ----------
    name : str
        A name in `TASKS`, or the import path of a `Task` object, such as my_tasks.INTERVAL.
    where : str
        Where it is named, for the error.

    Raises
    ------
    DeclarationError
        If there is no such task, or what stands at the path is none, or calls itself by another name.
    """
    if name in TASKS:
        return TASKS[name]
    module, _, attribute = name.rpartition(".")
    if not module:
        raise _unknown(f"There is no task '{name}'.{did_you_mean(name, TASKS)}", where)
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise _unknown(f"The task '{name}' cannot be imported: {error}.", where) from error
    if not isinstance(found, Task):
        raise _unknown(
            f"The task '{name}' is no object of the class ml.tasks.Task, but a {type(found).__name__}.", where
        )
    if found.name != name:
        raise _unknown(f"The task '{name}' calls itself '{found.name}', under which records would not find it.", where)
    return found


def _unknown(what: str, where: str) -> DeclarationError:
    names = " or ".join(f"'{name}'" for name in TASKS)
    return DeclarationError(
        what,
        where=where,
        rule="a task is one of ours, or the import path of a ml.tasks.Task object whose name is that path.",
        remedy=f"write {names}, or correct the path; a module of your own is in the project's root or installed.",
    )
