"""What the estimators of a family are always made with, whichever task they are for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SEED = 0

# What every estimator of a family is made with, whatever its parameters. Early stopping would hold out rows at random,
# across time and entity.
HIST_GRADIENT_BOOSTING: Mapping[str, Any] = {"early_stopping": False, "random_state": SEED}
XGBOOST: Mapping[str, Any] = {"tree_method": "hist", "random_state": SEED}
LIGHTGBM: Mapping[str, Any] = {
    "subsample_freq": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
    "random_state": SEED,
}
# The small LightGBM by whose gains columns are selected.
SELECTION: Mapping[str, Any] = {
    "n_estimators": 50,
    "num_leaves": 15,
    "importance_type": "gain",
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
