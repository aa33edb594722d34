"""Record linkage: finds the records of one table in another, without a key that they share and without examples.

It knows nothing of Dagster and of dbt's process, and no word of any domain: the columns, and how each of them is
compared, come from the declaration. One module per step:

- `declaration`: what an analyst wrote becomes a `Link`;
- `comparisons`: how a column is cleaned and compared, by its kind;
- `matching`: what splink learns, and the probability of every candidate;
- `linkage`: from the warehouse to the warehouse, around it.
"""
