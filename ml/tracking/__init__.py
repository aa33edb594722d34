"""The records once more, in MLflow."""
