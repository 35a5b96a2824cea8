"""The static frames of a bag: poses through their tree, and whether two poses say the same calibration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np

from vitra_description.names import BASE_FRAME, CAMERA_FRAME, arm_base, ee, hand_mount
from vitra_policy.action_space import SIDES
from vitra_policy.transforms import compose_poses, invert_pose, rotation_angle
from vitra_training.datasets.episode import Array
from vitra_training.datasets.errors import MissingKeyError

Frames: TypeAlias = Mapping[str, tuple[str, Array]]
"""Child frame -> (parent, parent_from_child)."""
EDGES = (
    (BASE_FRAME, CAMERA_FRAME),
    *((BASE_FRAME, arm_base(side)) for side in SIDES),
    *((ee(side), hand_mount(side)) for side in SIDES),
)
"""(ancestor, child) of every pose that an episode is made with."""
_SAME_M, _SAME_RAD = 1e-3, np.radians(0.1)
"""Rounding stays far below; a calibration that is made anew differs by more, and then labels are wrong by as much."""


def lookup(path: Path, frames: Frames, child: str, ancestor: str) -> Array:
    """ancestor_from_child (4, 4) through the static frames.

    Args:
        path: Of the bag, for the error.
        frames: Its frames.
        child: Where to begin.
        ancestor: Where to end.

    Raises:
        MissingKeyError: no way leads there.
    """
    pose, steps = np.eye(4), chain(frames, child, ancestor)
    if child != ancestor and not (steps and frames[steps[-1]][0] == ancestor):
        raise MissingKeyError(path, f"/tf_static: {ancestor} -> {child}", sorted(frames))
    for frame in steps:
        pose = frames[frame][1] @ pose
    return pose


def chain(frames: Frames, child: str, ancestor: str) -> list[str]:
    """The frames from a child up to, without, its ancestor; as far as they go, and each once where they go round.

    Args:
        frames: The tree.
        child: Where to begin.
        ancestor: Where to end.
    """
    found: list[str] = []
    frame = child
    while frame != ancestor and frame in frames and frame not in found:
        found.append(frame)
        frame = frames[frame][0]
    return found


def difference(one: Array, other: Array) -> str:
    """How far apart two poses (4, 4) are, in words; empty where they say the same."""
    with np.errstate(all="ignore"):
        apart_m = float(np.linalg.norm(one[:3, 3] - other[:3, 3]))
        apart_rad = float(rotation_angle(compose_poses(invert_pose(one), other)[:3, :3]))
    if apart_m <= _SAME_M and apart_rad <= _SAME_RAD:
        return ""
    return f"{apart_m * 1e3:.1f} mm and {np.degrees(apart_rad):.2f} deg"
