"""What a person should look at before a feature is believed: measured on the examples, found, acknowledged.

- `review`: one table per prediction, recorded: the only one that others call
- `findings`: what of the measures is worth a warning, in words
- `measures`: the numbers
- `measuring`: one column after the other, by all that stands below
- `query`: the examples as SQL to measure from
- `labels`: the labels: what of them is summed, and what follows from the sums
- `values`: one column grouped by its values
- `strength`: how well a column by itself orders the labels
- `strength_measure`: ROC AUC or Spearman's correlation
- `shifts`: how a column changes over time
- `entities`: columns that are names, and entities that are the same
"""
