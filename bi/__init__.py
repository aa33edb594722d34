"""Superset around the published file: what it shows stands in `assets/`, as YAML.

It runs in an environment of its own and reads `published/turnout.duckdb`, nothing else.
"""
