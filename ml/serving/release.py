"""Which entities' scores are released, to be acted on: a stable share, so that the rest shows what acting brings.

An entity's place between nought and one is a hash of the prediction's name and the entity. It is the same for ever, in
every engine, and another one in every other prediction. Who lies below the declared share is released, so a larger
share keeps those that a smaller one has released.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnout.dealing import lies_in_share
from turnout.engines import identifier, literal

if TYPE_CHECKING:
    from ml.declaration import Prediction


def is_released(prediction: Prediction) -> str:
    """Return SQL over the examples: whether the entity's score is released."""
    entity = f"cast({identifier(prediction.entity)} as string)"
    return lies_in_share(f"{literal(prediction.name + ':')} || {entity}", prediction.release)
