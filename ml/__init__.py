"""From tested examples to judged models and scores: one small module per step.

========================  ============================================================
`declaration`             what an analyst declared, read from dbt's manifest
`personal`                which columns tell who somebody is, and what is shown instead
`warehouse`               the seam: the only module that knows which engine it speaks to
`examples`                what the examples hold, checked before anything is learned
`feature_review`          what a person should look at, by `feature_measuring` and `findings`
`split`                   training and holdout by time, with a gap
`candidates`              families of estimators, each makes an unfitted Pipeline, by `encoding`
`search`                  which candidate, with which hyperparameters: decided before the holdout
`calibration`             predictions straightened by a line; `estimators` has what scikit-learn does not
`evaluation`              the field's metrics on the holdout, with intervals by `resampling`
`promotion`               the gate: does the challenger take the champion's place?
`training`                the steps above in order
`champions`               refitted for service; approved or rolled back by a person
`reasons`                 what moved each score most
`scores`, `scoring`       their table, and the champion's scores, written back as a stream
`card`, `plots`           what a person reads about a version
`persistence`             fitted models as files that cannot run code
`records`                 what is remembered of all this, in the warehouse
`replay`                  a version made once more from its record
`tracking`                the records once more, in MLflow
========================  ============================================================

This package reads examples and writes scores and records, nothing else. It imports neither
Dagster nor dbt, and knows no domain: no name of an entity, a source or a product.
"""

import os

# Idle OpenMP threads sleep instead of spinning. With spinning, two trainings side by side on two cores were
# seen to take a hundred times as long. It must be set before scikit-learn is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
