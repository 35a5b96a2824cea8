"""Checks of a whole arm posture for the command guard: wrist inside a box, distance to everything else.

An arm that is already outside (moved by hand, other limits before) may move back, but no further out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import Calibration
from vitra_description.kinematics import ArmModel
from vitra_description.names import ArmVariant
from vitra_safety.collision import CollisionModel
from vitra_safety.guard import GuardReason, PostureCheck, Refusal

Array = NDArray[np.float64]

MIN_DISTANCE_M = 0.02
"""Smallest distance that the arm guard allows; 20 mm is also where common practice slows down."""


@dataclass(frozen=True, slots=True)
class WorkspaceBox:
    """Where the wrist (`hand_mount`) may be, in base coordinates (m)."""

    lower_m: tuple[float, float, float] = (-0.10, -0.85, 0.76)
    upper_m: tuple[float, float, float] = (0.85, 0.85, 1.75)


class WorkspaceCheck:
    """Refuses postures whose wrist leaves the box."""

    def __init__(self, arm: ArmModel, base_from_arm_base: Array, box: WorkspaceBox | None = None) -> None:
        self._arm = arm
        self._base_from_arm_base = np.asarray(base_from_arm_base, dtype=np.float64)
        self._box = box or WorkspaceBox()
        self._lower, self._upper = np.array(self._box.lower_m), np.array(self._box.upper_m)

    def __call__(self, q_rad: Array, reference_rad: Array) -> Refusal | None:
        """None if the wrist is inside, or less far outside than at the reference."""
        wrist, excess = self._excess(q_rad)
        if not excess.any() or np.all(excess <= self._excess(reference_rad)[1]):
            return None
        i = int(np.argmax(excess))
        allowed = f"{self._lower[i]:.3f}..{self._upper[i]:.3f}"
        return Refusal(GuardReason.WORKSPACE, f"wrist {'xyz'[i]} at {wrist[i]:.3f} m, allowed {allowed}")

    def _excess(self, q_rad: Array) -> tuple[Array, Array]:
        wrist = (self._base_from_arm_base @ self._arm.wrist_pose(q_rad))[:3, 3]
        return wrist, np.maximum(0.0, np.maximum(self._lower - wrist, wrist - self._upper))


class CollisionCheck:
    """Refuses postures closer than `min_distance_m` to anything."""

    def __init__(self, model: CollisionModel, min_distance_m: float = MIN_DISTANCE_M) -> None:
        self._model = model
        self._min_distance_m = min_distance_m

    def __call__(self, q_rad: Array, reference_rad: Array) -> Refusal | None:
        """None if far enough, or no closer than at the reference."""
        closest = self._model.closest(q_rad)
        if closest.distance_m >= self._min_distance_m or closest.distance_m >= self._model.distance_m(reference_rad):
            return None
        return Refusal(GuardReason.COLLISION, f"{closest}, allowed {self._min_distance_m * 1e3:.0f} mm")


def arm_posture_checks(
    side: str,
    calibration: Calibration,
    *,
    box: WorkspaceBox | None = None,
    table_height_m: float | None = None,
    min_distance_m: float = MIN_DISTANCE_M,
    variant: str = ArmVariant.RM75_6F,
) -> tuple[PostureCheck, ...]:
    """The checks of one arm's driver; the other arm is the executor's business, which knows both.

    Args:
        side: Which arm.
        calibration: How it is mounted.
        box: Where the wrist may be; None: the default.
        table_height_m: Table over base_link; None: no table.
        min_distance_m: Smallest distance of the arm to itself, torso and table.
        variant: Kind of arm.
    """
    extrinsics = calibration.side(side)
    arm = ArmModel(variant, extrinsics)
    model = CollisionModel(calibration, (side,), table_height_m, variant)
    return (
        WorkspaceCheck(arm, extrinsics.base_from_arm_base, box),
        CollisionCheck(model, min_distance_m),
    )
