"""Nothing may know the future: examples are built again as they would have been in the past, and compared.

`past` says which pasts there are, `rebuild` builds one, `comparison` finds what differs, `audit` goes the whole way
and remembers it. No Dagster here.
"""
