"""How whatever has a key is dealt into buckets: by a hash of the key, so that it lies in the same one for ever.

In SQL the hash is MD5, which every engine knows. Its hexadecimal digits are compared as text, as every engine does that
alike; to make a number of them, each has other words. A key has no part in where another one lies, and with something
put before it, it lies elsewhere.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

# How many hexadecimal digits of the hash tell the place in a share: four billion places are fine enough for any.
DIGITS = 8


def lies_in_share(key: str, percent: float) -> str:
    """Return SQL: whether a key lies below a share of all places. A larger share keeps whatever lies in a smaller one.

    Parameters
    ----------
    key : str
        SQL of a text that is not null.
    percent : float
        The share, above 0 to 100.
    """
    first_beyond = math.ceil(percent / 100 * 16**DIGITS)
    if first_beyond >= 16**DIGITS:  # a digit more than there is to compare with
        return "true"
    # Hexadecimal numbers of equal length are in order as text.
    return f"left(md5({key}), {DIGITS}) < '{first_beyond:0{DIGITS}x}'"


def is_one_in(key: str, halvings: int) -> str:
    """Return SQL: whether a key is one of every 2nd, 4th, 8th … of all keys. Each is among those of fewer halvings.

    Parameters
    ----------
    key : str
        SQL of a text that is not null.
    halvings : int
        How often the keys are halved, 0 to 64.

    Notes
    -----
    That is whether the last bits of a number are zero: of the second half of the hash, its lowest byte first.
    """
    conditions = []
    for place in range(math.ceil(halvings / 4)):
        # A byte is two digits, the higher one first.
        digit = f"substr(md5({key}), {17 + 2 * (place // 2) + 1 - place % 2}, 1)"
        step = 2 ** min(4, halvings - 4 * place)
        multiples = ", ".join(f"'{multiple:x}'" for multiple in range(0, 16, step))
        conditions.append(f"{digit} in ({multiples})")
    return " and ".join(conditions) or "true"


def bucket_of(values: pd.Series[Any], buckets: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Return in which of so many buckets each value lies; missing values are one of their own.

    Here the hash is that of pandas, over what the value looks like as text.

    Returns
    -------
    ndarray of shape (n_values,), uint64
        0 to `buckets` - 1.
    """
    import numpy as np
    import pandas as pd

    places, found = pd.factorize(values, use_na_sentinel=False)
    texts = np.array([_text(value) for value in found], dtype="object")
    return pd.util.hash_array(texts)[places] % buckets


def _text(value: object) -> str:
    """Return what a value is hashed by: a whole number comes as a float where a column also has missing values."""
    if value is None or value != value:  # only nan differs from itself
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
