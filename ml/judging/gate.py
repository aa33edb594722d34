"""What a challenger must reach to take the champion's place, as it was declared."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from ml.judging.limits import Limits
from ml.tasks.metrics import Metric


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What a challenger must reach to take the champion's place.

    Parameters
    ----------
    metric : Metric
        What candidates compete on; one with a direction.
    minimum_effect : float
        The least effect, relative, that is worth a change.
    limits : Limits
        What the challenger must keep to.
    requires_approval : bool
        Whether a person must approve what would be promoted.
    """

    metric: Metric
    minimum_effect: float = 0.005
    limits: Limits = Limits()
    requires_approval: bool = False
