"""The loads of every source table that is filled from landing."""
