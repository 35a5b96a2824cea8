"""Where things are for a task with one object and one container: the numbers that a small network is asked for.

They are measured in the camera's frame, since that is where the network sees them, but for the turn of the object,
which is about the vertical and counted modulo the object's symmetry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

GEOMETRY = ("target", "box", "hand_to_target", "half")
"""Three numbers each, metres: the object, the container, from the hand to the object, half extents of the object."""
TURN = slice(3 * len(GEOMETRY), 3 * len(GEOMETRY) + 3)
"""Cosine and sine of the object's turn times its symmetry, and which symmetry that is."""
NUMBERS = TURN.stop

_SYMMETRIES: Mapping[str, int] = {"cube": 4, "carton": 4, "mug": 2}
"""After how many parts of a full turn an object of a kind is taken the same way; other kinds: any turn."""
_SYMMETRY_SIGN = {4: 1.0, 2: -1.0}


def places_of(
    kind: str, target_in_camera: Array, yaw_rad: Array, box_in_camera: Array, wrist_m: Array, half_m: Array
) -> NDArray[np.float32]:
    """Places (T, NUMBERS) at T looks.

    Args:
        kind: of the object.
        target_in_camera: (T, 3) centre of the object.
        yaw_rad: (T,) its turn about the vertical.
        box_in_camera: (3,) centre of the container.
        wrist_m: (T, 3) the acting wrist in the camera frame.
        half_m: (3,) half extents of the object.
    """
    looks = len(target_in_camera)
    symmetry = _SYMMETRIES.get(kind, 0)
    turn = np.zeros((looks, 3))
    if symmetry:
        turn[:, 0], turn[:, 1] = np.cos(symmetry * yaw_rad), np.sin(symmetry * yaw_rad)
        turn[:, 2] = _SYMMETRY_SIGN[symmetry]
    fixed = [np.broadcast_to(part, (looks, 3)) for part in (box_in_camera, half_m)]
    parts = [target_in_camera, fixed[0], target_in_camera - wrist_m, fixed[1], turn]
    return np.concatenate(parts, axis=1).astype(np.float32)


def yaw_of(base_from_object: Array) -> NDArray[np.float64]:
    """Turns (...) about the vertical of poses (..., 4, 4)."""
    return np.asarray(np.arctan2(base_from_object[..., 1, 0], base_from_object[..., 0, 0]), dtype=np.float64)
