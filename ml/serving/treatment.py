"""Which entities are treated, so that the control group shows what acting on scores brings: a stable share of them.

An entity's place between zero and one is a hash of the prediction's name and the entity. It is the same for ever, in
every engine, and another one in every other prediction. Who lies below the declared share is treated, so a larger
share keeps those that a smaller one has treated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnout.dealing import lies_in_share
from turnout.engines import identifier, literal

if TYPE_CHECKING:
    from turnout.project.examples_table import ExamplesTable


def is_treated(examples: ExamplesTable, treatment_share: float) -> str:
    """Return SQL over the examples: whether the entity is treated."""
    entity = f"cast({identifier(examples.entity)} as string)"
    return lies_in_share(f"{literal(examples.name + ':')} || {entity}", treatment_share)
