"""Which entities' scores are released, to be acted on: a stable share, so that the rest shows what acting brings.

An entity's place between nought and one is a hash of the prediction's name and the entity. It is the same for ever, in
every engine, and another one in every other prediction. Who lies below the declared share is released, so a larger
share keeps those that a smaller one has released.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from turnout.engines import identifier

if TYPE_CHECKING:
    from ml.declaration import Prediction

# How many hexadecimal digits of the hash tell the place: four billion places are fine enough for any share.
DIGITS = 8


def is_released(prediction: Prediction) -> str:
    """Return SQL over the examples: whether the entity's score is released.

    Hexadecimal numbers of equal length are in order as text, which every engine compares alike; that spares a
    conversion, of which each has another.
    """
    first_kept_back = math.ceil(prediction.release / 100 * 16**DIGITS)
    if first_kept_back >= 16**DIGITS:  # a digit more than there is to compare with
        return "true"
    name = prediction.name.replace("'", "''")
    entity = f"cast({identifier(prediction.entity)} as string)"
    return f"left(md5(concat('{name}:', {entity})), {DIGITS}) < '{first_kept_back:0{DIGITS}x}'"
