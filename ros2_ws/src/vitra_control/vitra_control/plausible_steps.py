"""Whether the numbers of a chunk's steps can be meant, whatever path they make."""

from __future__ import annotations

import numpy as np

from vitra_policy.action_space import Side
from vitra_policy.chunks.curve import StepsError, TimedSteps

_FARTHEST_M, _WIDEST_RAD = 3.0, 7.0


def refuse_implausible(side: Side, steps: TimedSteps) -> None:
    """Refuse what no wrist and no finger can be asked for.

    Args:
        side: Whose steps they are, for the message.
        steps: Wrist pose (7) and fingers of each step.

    Raises:
        StepsError: not finite, or farther than any arm's reach or any finger's range.
    """
    values = steps.values
    if not np.isfinite(values).all():
        raise StepsError(f"{steps.name}: steps must be finite numbers.")
    for what, block, most, unit in (
        ("wrist", values[:, :3], _FARTHEST_M, "m"),
        ("finger", values[:, 7:], _WIDEST_RAD, "rad"),
    ):
        if np.abs(block).max(initial=0.0) > most:
            raise StepsError(
                f"{steps.name}: a {side} {what} target is at {np.abs(block).max():.3g} {unit}, allowed are {most:g}; "
                "check the calibration and the statistics the policy de-normalises with."
            )
