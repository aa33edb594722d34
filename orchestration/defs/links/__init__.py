"""The tables of declared links: which record of one dbt model is which of another."""
