"""What an analyst declared: keys of dbt's YAML, read, checked, and frozen with every default filled in.

A dbt model is a prediction when it carries `config.meta.prediction`. Whether its *table* keeps what is declared is
asked in `ml.examples.inspection`.

- `keys`: what may stand there: types, defaults, and words for both
- `finding_names`: the names of what may be found and acknowledged
- `parts`: what one step, or a few that belong together, read of a declaration
- `prediction`: a prediction, as everything after the declaration knows it: made of these parts
- `checks`: what cannot stand in a declaration although each key by itself is right
- `reading`: from dbt's manifest to predictions
"""

from ml.declaration.finding_names import FINDINGS
from ml.declaration.keys import Declaration, LabelExpectation, SearchBudget
from ml.declaration.parts import Documentation, ReportedGroups, SearchPlan, Serving, SplitPlan
from ml.declaration.prediction import Prediction
from ml.declaration.reading import predictions_in

__all__ = [
    "FINDINGS",
    "Declaration",
    "Documentation",
    "LabelExpectation",
    "Prediction",
    "ReportedGroups",
    "SearchBudget",
    "SearchPlan",
    "Serving",
    "SplitPlan",
    "predictions_in",
]
