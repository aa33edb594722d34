"""Where everything stands, what dbt knows of it, and where what is made comes from."""
