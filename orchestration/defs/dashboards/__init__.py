"""The dashboards in Superset."""
