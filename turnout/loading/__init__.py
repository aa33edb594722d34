"""Landing becomes raw: every file that enters is checked against its contract and kept for ever as a load.

A file becomes plain text, if it is one (`plain_text`, `quoting`, `workbooks`), and a relation (`reading`); its rows are
parsed (`rows`), the unfit set aside (`setting_aside`), the rest compared with the loads before it (`population`).
It becomes a load in the register, or goes to quarantine (`register`); `raw.<table>` is a view on the loads in force.
`loader` is the whole way of one table. Nothing here knows Dagster, or runs dbt.
"""
