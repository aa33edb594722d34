"""The tables of records: what happened in every load, audit and training."""
