"""Dagster's page, which answers what this machine asks for and nobody else.

Dagster starts its webserver as a process, and has no setting for the names that it answers. So `__main__` is Dagster's
`dg`, which starts `webserver` in its place: that is Dagster's, with a check before it.
"""
