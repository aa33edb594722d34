"""The checks of every prediction's examples: leakage, and the features that a person should look at."""
