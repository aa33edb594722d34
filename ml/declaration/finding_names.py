"""The names of all findings that a declaration may acknowledge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from turnout.leakage.result import FINDINGS as AUDIT_FINDINGS

# What may be found and acknowledged, and what the finding is about: a column of the model, or a source, `name.table`.
# The leakage audit has its own; the others are explained in `ml.features.findings`.
FINDINGS: Mapping[str, Literal["column", "source"]] = {
    "missing": "column",
    "unlabelled": "column",
    "implausible_labels": "column",
    "constant": "column",
    "identifier": "column",
    "single_feature_leak": "column",
    "copies_label": "column",
    "unstable": "column",
    "monotone_over_time": "column",
    "sounds_sensitive": "column",
    "duplicate_entities": "column",
    **AUDIT_FINDINGS,
}

# What earlier releases called a finding, and what it is called today.
RENAMED_FINDINGS: Mapping[str, str] = {
    "counts_up": "monotone_over_time",
    "strong_alone": "single_feature_leak",
    "twins": "duplicate_entities",
}
