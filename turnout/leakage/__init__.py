"""Nothing may know the future: examples are built again as they would have been in the past, and compared.

`past` says which pasts there are, `rebuild` builds one, `comparison` finds what differs, `coverage` says what no
rebuild can see, `result` tells it in words, `records` remembers it, `audit` goes the whole way. No Dagster here.
"""
