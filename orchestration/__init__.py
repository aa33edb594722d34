"""Dagster around dbt and `ml`: what exists stands in `defs/`, how it works beside it.

Nothing here learns or judges (that is `ml/`) and nothing here transforms data (that is `dbt_project/`).
"""
