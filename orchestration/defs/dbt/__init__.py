"""dbt's models and tests, in two steps: before Python, and after it."""
