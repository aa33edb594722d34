"""Landing becomes raw: every file that enters is checked against its contract and kept for ever as a load.

A file is read (`reading`), its rows are parsed and the unfit set aside (`rows`), the rest is compared with the loads
before it (`population`), and it becomes a load in the register, or goes to quarantine (`register`); `raw.<table>` is a
view on the loads in force. `loader` is the whole way of one table. Nothing here knows Dagster, or runs dbt.
"""
