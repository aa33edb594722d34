"""Dagster around dbt and `ml`, and the command line.

`defs/<topic>/` holds what exists in Dagster: assets, checks, schedules and sensors. `command_line/` is what a person
types. What stands beside the two is shared by several topics.

Nothing here learns or judges (that is `ml/`) and nothing here transforms data (that is `dbt_project/`).
"""
