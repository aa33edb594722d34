"""Who is dealt where stays so for ever: experiments, samples and sides of splits are made of it."""

from __future__ import annotations

import hashlib
import math
from random import Random

import duckdb
import numpy as np
import pandas as pd

from turnout.dealing import bucket_of, is_one_in, lies_in_share

# Of the first sixty whole numbers, and of the first twelve.
ONE_IN_EIGHT = [3, 25, 26, 27, 41, 42, 48, 49, 56]
BUCKETS = [4, 1, 0, 4, 2, 3, 1, 2, 4, 1, 3, 3]


def keys(count: int) -> list[str]:
    """Texts of all kinds and lengths, the empty one among them."""
    random = Random(count)
    letters = "ab0 1-_'\"%äß漢🗳\n"
    return sorted({"".join(random.choices(letters, k=random.randrange(20))) for _ in range(count)})


def dealt(conditions: list[str], texts: list[str]) -> list[tuple[bool, ...]]:
    frame = pd.DataFrame({"place": range(len(texts)), "key": pd.Series(texts, dtype="str")})  # noqa: F841 - read by name
    return duckdb.sql(f"select {', '.join(conditions)} from frame order by place").fetchall()


def test_a_share_holds_the_keys_whose_first_eight_digits_lie_below_it() -> None:
    texts, percents = keys(5000), [1e-9, 0.01, 1, 10, 100 / 3, 50, 99.99, math.nextafter(100, 0), 100]
    places = [int(hashlib.md5(text.encode()).hexdigest()[:8], 16) for text in texts]
    found = dealt([lies_in_share("key", percent) for percent in percents], texts)
    assert found == [tuple(place < math.ceil(percent / 100 * 2**32) for percent in percents) for place in places]


def test_one_in_many_is_as_it_was_said_first_by_a_function_of_duckdbs_own() -> None:
    texts, halvings = keys(20_000), [*range(10), 13, 64]
    found = dealt([is_one_in("key", times) for times in halvings], texts)
    assert found == dealt([f"md5_number_lower(key) % (1::uhugeint << {times}) = 0" for times in halvings], texts)
    for times, taken in zip(halvings, np.sum(found, axis=0), strict=True):
        expected = len(texts) / 2**times
        assert abs(taken - expected) <= 6 * math.sqrt(expected * (1 - 1 / 2**times))


def test_the_first_deal_of_all_stands() -> None:
    texts = [str(number) for number in range(60)]
    assert [place for place, (taken,) in enumerate(dealt([is_one_in("key", 3)], texts)) if taken] == ONE_IN_EIGHT
    assert list(bucket_of(pd.Series(texts), 5)[:12]) == BUCKETS


def test_a_whole_number_lies_where_its_text_does_also_beside_missing_values() -> None:
    random = Random(1)
    values = [random.choice([None, random.randrange(-(10**9), 10**9)]) for _ in range(1000)]
    texts = np.array(["" if value is None else str(value) for value in values], dtype="object")
    assert list(bucket_of(pd.Series(values, dtype="float64"), 5)) == list(pd.util.hash_array(texts) % 5)
