"""The ground floor: what the pipeline and the learning both stand on.

==============  ==============================================================================
`errors`        what a person reads who can mend a mistake
`personal`      which columns tell who somebody is, and what is shown instead
`engines`       the verbs that we ask of a warehouse, and DuckDB, which answers them
`records`       what is remembered: every table said once
`project`       where everything stands, dbt's manifest, and where what is made comes from
`loading`       from a file in landing to a load that raw shows, or to quarantine
`linking`       which record of one table is which of another
`leakage`       nothing may know the future: the past is built again and compared
`publication`   what BI reads, switched at once
==============  ==============================================================================

There is no Dagster here, no estimator and no word of any domain. An import goes down this list's order of storeys,
never up: see `tool.importlinter` in pyproject.toml.
"""
