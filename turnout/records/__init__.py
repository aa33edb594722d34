"""Records: what is remembered of loads, trainings, audits and reviews."""

SCHEMA = "records"
