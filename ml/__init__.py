"""From tested examples to judged models and scores: one folder per thought.

================  ====================================================================
`declaration`     what an analyst declared, read from dbt's manifest
`examples`        what the examples hold, checked before anything is learned; divided by time
`features`        what a person should look at before a feature is believed
`tasks`           kinds of questions, an object each; nobody else asks which kind it is
`models`          families of estimators, fitted ones, their reasons, and models as files
`judging`         evaluations with intervals, limits, and the gate: does the challenger take the place?
`training`        from examples to a judged version, its record, and the same once more
`serving`         who is champion, and the scores, written back as a stream
`monitoring`      what came true of what was predicted
`report`          the model card and its pictures
`tracking`        the records once more, in MLflow
================  ====================================================================

This package reads examples and writes scores and records, nothing else, and asks for them through
`turnout.engines`. It imports neither Dagster nor dbt, and knows no domain: no name of an entity, a
source or a product.
"""

import os

# Idle OpenMP threads sleep instead of spinning. With spinning, two trainings side by side on two cores were
# seen to take a hundred times as long. It must be set before scikit-learn is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
