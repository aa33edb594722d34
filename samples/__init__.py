"""What fills landing/ for the worked examples: one module per dbt source.

Each module has `SOURCE`, the name of the dbt source, or `SOURCES`, and `land(landing)`, which puts their files
below `landing/<source>/<table>/` and returns the new ones. A file appears there whole, and only where there is
none yet: a sample never takes the place of a file that somebody sent. Without this folder, landing is filled
by whoever sends files.
"""
