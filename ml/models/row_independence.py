"""What is asked of a fitted model: that no row is predicted by the rows beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnout.errors import ModelError

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator

    from ml.tasks import Task
    from ml.tasks.metrics import Predicted

# Rows that are predicted once more without the rows beside them.
ROWS_ALONE = 500


def require_independent_rows(
    candidate: str, fitted: BaseEstimator, task: Task, features: pd.DataFrame, predicted: Predicted
) -> None:
    """Refuse a candidate that predicts a row differently when other rows stand beside it: it learns while it scores.

    Parameters
    ----------
    features : DataFrame of shape (n_examples, n_features)
        What was predicted.
    predicted : ndarray of shape (n_examples,) or (n_examples, n_columns)
        How, all rows together.

    Raises
    ------
    ModelError
        If some of the rows alone come out differently.
    """
    import numpy as np

    # The rows at one end of the ranking: by themselves, they have other means and ranges than all together.
    alone = np.argsort(task.score_of(predicted), kind="stable")[:ROWS_ALONE]
    again = task.predict(fitted, features.iloc[alone])
    # Sums over rows in another order differ in their last bits.
    is_close = np.isclose(again, predicted[alone], rtol=1e-6, atol=1e-9)
    differing = int((~np.column_stack([is_close]).all(axis=1)).sum())
    if differing:
        raise ModelError(
            f"The candidate '{candidate}' predicts {differing} of {len(alone)} rows differently without the other "
            "rows of the holdout.",
            where=f"candidate '{candidate}'",
            rule="scoring only predicts: what is learned from data is learned in fit, from the training rows.",
            remedy="move what is computed over rows (means, ranks, counts) from predict or transform to fit.",
        )
