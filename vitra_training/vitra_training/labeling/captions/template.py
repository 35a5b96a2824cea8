"""The offline captioner: says what the hand's path and grip say, and never pretends to know things by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import Side

Array = NDArray[np.float64]

SOURCE = "template"
_STILL_M = 0.03


def describe(side: Side, palms_m: Array, camera_from_world: Array) -> tuple[str, tuple[str, ...]]:
    """An instruction for a path, and other ways to say it.

    Args:
        side: the hand.
        palms_m: (T, 3) palm centres in the world.
        camera_from_world: (4, 4) at the start: directions are as the person sees them.
    """
    way = camera_from_world[:3, :3] @ (palms_m[-1] - palms_m[0])
    length = float(np.linalg.norm(way))
    if length < _STILL_M:
        return f"Hold the {side} hand where it is.", (f"Keep the {side} hand in place.",)
    names = (("right", "left"), ("down", "up"), ("away from the body", "towards the body"))
    order = np.argsort(-np.abs(way))
    words = [
        names[axis][0] if way[axis] > 0 else names[axis][1] for axis in order[:2] if abs(way[axis]) > 0.45 * length
    ]
    direction = " and ".join(words)
    distance = f"{5 * round(length * 20):d} cm"
    return (
        f"Move the {side} hand {direction}.",
        (f"Move the {side} hand about {distance} {direction}.", f"Bring the {side} hand {direction}."),
    )
