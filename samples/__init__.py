"""What fills landing/ for the worked examples: one module per dbt source.

Each module has `SOURCE`, the name of the dbt source, and `land(landing)`, which puts that source's files
below `landing/<source>/<table>/` and returns them. A file appears there whole, and only if it is not there
yet. Without this folder, landing is filled by whoever sends files.
"""
