"""Whether a calibration can be true: metres and not millimetres, the right way round, left on the left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES, Side

Pose = NDArray[np.float64]

_FARTHEST_M = 3.0
_LONGEST_ADAPTER_M = 0.3
_ARMS_APART_M = (0.05, 1.2)
_HEAD_ASIDE_M = 0.4
_WORK_FROM_SHOULDERS_M = np.array([0.5, 0.0, -0.4])
"""A point ahead of and below the middle of the arms' bases, where the hands work."""
_WIDEST_VIEW = 1.5
"""Tangent of the widest angle off the optical axis."""


class _Side(Protocol):
    @property
    def base_from_arm_base(self) -> Pose: ...
    @property
    def ee_from_hand_base(self) -> Pose: ...
    @property
    def hand_base_from_hand_mount(self) -> Pose: ...


class _Calibration(Protocol):
    @property
    def left(self) -> _Side: ...
    @property
    def right(self) -> _Side: ...
    @property
    def base_from_head_camera(self) -> Pose: ...


def problems(calibration: _Calibration) -> Iterator[str]:
    """What cannot be, in words; nothing for a calibration that may be true."""
    yield from _distances(calibration)
    left, right = calibration.left.base_from_arm_base[:3, 3], calibration.right.base_from_arm_base[:3, 3]
    apart_m = float(np.linalg.norm(left - right))
    if left[1] <= right[1]:
        yield f"the left arm (y = {left[1]:.3f} m) is right of the right arm ({right[1]:.3f}): are the sides swapped?"
    if not _ARMS_APART_M[0] <= apart_m <= _ARMS_APART_M[1]:
        yield f"the arms' bases are {apart_m:.2f} m apart, allowed {_ARMS_APART_M}: is base_from_arm_base inverted?"
    aside_m = abs(calibration.base_from_head_camera[1, 3] - (left[1] + right[1]) / 2)
    if aside_m > _HEAD_ASIDE_M:
        yield f"the head camera is {aside_m:.2f} m beside the middle of the arms: is base_from_head_camera inverted?"
    work = (left + right) / 2 + _WORK_FROM_SHOULDERS_M
    seen = np.linalg.inv(calibration.base_from_head_camera) @ np.append(work, 1.0)
    if not (seen[2] > 0.1 and np.abs(seen[:2]).max() <= _WIDEST_VIEW * seen[2]):
        yield (
            f"the head camera does not see where the hands work (base {np.round(work, 2).tolist()} m is at "
            f"{np.round(seen[:3], 2).tolist()} in its optical frame): is base_from_head_camera inverted?"
        )
    sides = {Side.LEFT: calibration.left, Side.RIGHT: calibration.right}
    for side in SIDES:
        forearm = sides[side].hand_base_from_hand_mount[2, 0]
        if forearm * (1 if side == Side.LEFT else -1) <= 0:
            yield f"the {side} hand_mount's x axis points the wrong way along the fingers: are the sides swapped?"


def _distances(calibration: _Calibration) -> Iterator[str]:
    for side in SIDES:
        extrinsics = calibration.left if side == Side.LEFT else calibration.right
        longest_m = _LONGEST_ADAPTER_M
        yield from _distance(f"base_from_{side}_arm_base", extrinsics.base_from_arm_base, _FARTHEST_M)
        yield from _distance(f"{side}_ee_from_hand_base", extrinsics.ee_from_hand_base, longest_m)
        yield from _distance(f"{side}_hand_base_from_hand_mount", extrinsics.hand_base_from_hand_mount, longest_m)
    yield from _distance("base_from_head_camera", calibration.base_from_head_camera, _FARTHEST_M)


def _distance(name: str, pose: Pose, allowed_m: float) -> Iterator[str]:
    distance_m = float(np.linalg.norm(pose[:3, 3]))
    if distance_m > allowed_m:
        yield f"{name} is {distance_m:.4g} m long, allowed {allowed_m:g}: are these millimetres?"
