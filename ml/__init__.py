"""From tested examples to judged models and scores: one small module per step.

========================  ============================================================
`declaration`             what an analyst declared, read from dbt's manifest
`warehouse`               the seam: the only module that knows which engine it speaks to
`examples`                what the examples hold, checked before anything is learned
`feature_review`          what a person should look at, by `feature_measuring` and `findings`
`split`                   training and holdout by time, with a gap
`candidates`              families of estimators, each one unfitted Pipeline
`evaluation`              the field's metrics on the holdout
`promotion`               does the challenger take the champion's place?
`training`                the steps above in order
`persistence`             fitted Pipelines as files that cannot run code
`scoring`                 the champion's scores, written back as a stream
`records`                 what is remembered of all this, in the warehouse
`plots`                   what a person looks at
========================  ============================================================

This package reads examples and writes scores and records, nothing else. It imports neither
Dagster nor dbt, and knows no domain: no name of an entity, a source or a product.
"""

import os

# Idle OpenMP threads sleep instead of spinning. With spinning, two trainings side by side on two cores were
# seen to take a hundred times as long. It must be set before scikit-learn is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
