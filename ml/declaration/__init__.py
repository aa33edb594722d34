"""What an analyst declared: keys of dbt's YAML, read, checked, and frozen with every default filled in.

A dbt model is a prediction when it carries `config.meta.prediction`. Whether its *table* keeps what is declared is
asked in `ml.examples.inspection`.

- `keys`: what may stand there: types, defaults, and words for both
- `findings`: the names of what may be found and acknowledged
- `prediction`: a prediction, as everything after the declaration knows it
- `checks`: what cannot stand in a declaration although each key by itself is right
- `reading`: from dbt's manifest to predictions
"""

from ml.declaration.finding_names import FINDINGS
from ml.declaration.keys import Declaration, SearchBudget
from ml.declaration.prediction import Prediction
from ml.declaration.reading import predictions_in

__all__ = ["FINDINGS", "Declaration", "Prediction", "SearchBudget", "predictions_in"]
