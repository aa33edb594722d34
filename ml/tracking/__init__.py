"""The records once more, in MLflow.

- `tracking`: what is outstanding, sent and recorded: the only one that others call
- `records`: what the records say of versions, and of what MLflow has
- `runs`: experiments and runs
- `values`: what a run shows: metrics, parameters and tags
- `files`: what a run keeps: card, plots, tables, and fits as MLflow's models
- `models`: registered models and their aliases
- `environment`: how MLflow is reached, and what it says when it fails
"""
