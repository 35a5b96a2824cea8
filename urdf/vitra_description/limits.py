"""Joint limits: what the vendors state, and the safer ones that this stack commands within."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_description.names import ARM_DOF, HAND_DOF
from vitra_policy.errors import VitraError

ARM_MARGIN_RAD = float(np.deg2rad(3.0))
"""Distance that commands keep from the vendor's position limits."""
ARM_MAX_ACCELERATION_RAD_S2 = 10.0
"""Below the controller's 600 deg/s^2 (10.47 rad/s^2); stops 0.8 rad/s in 80 ms."""
ARM_TELEOP_VELOCITY_RAD_S = float(np.deg2rad(45.0))
ARM_MAX_VELOCITY_RAD_S = float(np.deg2rad(90.0))


class LimitsError(VitraError):
    """Limits that contradict themselves or do not fit the joints."""


def _frozen(values: ArrayLike, dof: int) -> NDArray[np.float64]:
    array = np.broadcast_to(np.asarray(values, dtype=np.float64), (dof,)).copy()
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True)
class JointLimits:
    """Limits of one arm or hand, each an array of shape (dof,).

    Attributes:
        lower_rad: Lowest position.
        upper_rad: Highest position.
        velocity_rad_s: Highest speed.
        acceleration_rad_s2: Highest acceleration; also the deceleration of a controlled stop.
    """

    lower_rad: NDArray[np.float64]
    upper_rad: NDArray[np.float64]
    velocity_rad_s: NDArray[np.float64]
    acceleration_rad_s2: NDArray[np.float64]

    @classmethod
    def build(
        cls, lower_rad: ArrayLike, upper_rad: ArrayLike, velocity_rad_s: ArrayLike, acceleration_rad_s2: ArrayLike
    ) -> JointLimits:
        """Limits from sequences or scalars (a scalar holds for every joint).

        Raises:
            LimitsError: if a lower limit is not below its upper limit, or a rate is not positive and finite.
        """
        dof = np.size(lower_rad)
        limits = cls(*(_frozen(v, dof) for v in (lower_rad, upper_rad, velocity_rad_s, acceleration_rad_s2)))
        if not np.all(limits.lower_rad < limits.upper_rad):
            raise LimitsError(f"Lower limits {limits.lower_rad} must be below upper limits {limits.upper_rad}.")
        rates = np.concatenate([limits.velocity_rad_s, limits.acceleration_rad_s2])
        if not (np.all(np.isfinite(rates)) and np.all(rates > 0)):
            raise LimitsError(f"Velocity and acceleration limits must be positive and finite, not {rates}.")
        return limits

    @property
    def dof(self) -> int:
        """Number of joints."""
        return len(self.lower_rad)

    @property
    def middle_rad(self) -> NDArray[np.float64]:
        """Middle of the position range, shape (dof,)."""
        return np.asarray((self.lower_rad + self.upper_rad) / 2)

    def with_margin(self, margin_rad: float) -> JointLimits:
        """The same limits with the position range narrowed by `margin_rad` at both ends."""
        return JointLimits.build(
            self.lower_rad + margin_rad, self.upper_rad - margin_rad, self.velocity_rad_s, self.acceleration_rad_s2
        )

    def with_velocity(self, velocity_rad_s: ArrayLike) -> JointLimits:
        """The same limits with another velocity limit, never above the present one."""
        velocity = np.minimum(self.velocity_rad_s, _frozen(velocity_rad_s, self.dof))
        return JointLimits.build(self.lower_rad, self.upper_rad, velocity, self.acceleration_rad_s2)

    def clip(self, position_rad: ArrayLike) -> NDArray[np.float64]:
        """Positions moved into the range, shape (dof,)."""
        return np.clip(np.asarray(position_rad, dtype=np.float64), self.lower_rad, self.upper_rad)

    def contains(self, position_rad: ArrayLike, tolerance_rad: float = 1e-9) -> bool:
        """Whether every position is within the range."""
        q = np.asarray(position_rad, dtype=np.float64)
        return bool(np.all(q >= self.lower_rad - tolerance_rad) and np.all(q <= self.upper_rad + tolerance_rad))


_ARM_POSITION_DEG = np.array([178.0, 130.0, 178.0, 135.0, 178.0, 128.0, 360.0])
_ARM_URDF_RAD = np.array([3.106, 2.2689, 3.106, 2.356, 3.106, 2.234, 6.28])
_ARM_VELOCITY_DEG_S = np.array([180.0, 180.0, 225.0, 225.0, 225.0, 225.0, 225.0])

ARM_VENDOR_LIMITS = JointLimits.build(
    -np.minimum(_ARM_URDF_RAD, np.deg2rad(_ARM_POSITION_DEG)),
    np.minimum(_ARM_URDF_RAD, np.deg2rad(_ARM_POSITION_DEG)),
    np.deg2rad(_ARM_VELOCITY_DEG_S),
    np.full(ARM_DOF, np.deg2rad(600.0)),
)
"""RM75: the tighter of URDF and SDK positions, datasheet speeds, controller acceleration."""

ARM_LIMITS = JointLimits.build(
    ARM_VENDOR_LIMITS.lower_rad + ARM_MARGIN_RAD,
    ARM_VENDOR_LIMITS.upper_rad - ARM_MARGIN_RAD,
    ARM_MAX_VELOCITY_RAD_S,
    ARM_MAX_ACCELERATION_RAD_S2,
)
"""What commands to an arm must stay within: 3 deg margin, 90 deg/s, 10 rad/s^2."""

ARM_TELEOP_LIMITS = ARM_LIMITS.with_velocity(ARM_TELEOP_VELOCITY_RAD_S)
"""As `ARM_LIMITS` at 45 deg/s: what the executor plans with, for policies and teleoperation alike."""

HAND_VENDOR_LIMITS = JointLimits.build(
    [0.0, -0.698, 0.0, -0.174, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [1.832, 1.57, 1.57, 0.174, 1.919, 1.919, 1.919, 1.919, 1.919, 1.919, 1.919, 1.919],
    [8.63, 8.63, 14.38, 14.38, 8.63, 14.38, 8.63, 14.38, 8.63, 14.38, 8.63, 14.38],
    np.full(HAND_DOF, 400.0),
)
"""XHand1, vendor description 1.3, both hands; the acceleration is a judgement (about 30 ms to full speed)."""

HAND_LIMITS = JointLimits.build(HAND_VENDOR_LIMITS.lower_rad, HAND_VENDOR_LIMITS.upper_rad, 6.0, 120.0)
"""What commands to a hand must stay within: the vendor's range (its ends are the hard stops), 6 rad/s, 120 rad/s^2."""

ARM_MAX_STEP_RAD = float(np.deg2rad(2.0))
"""Largest change between two arm commands, whatever the time between (the vendor's own limit is 10 deg)."""
HAND_MAX_STEP_RAD = float(np.deg2rad(8.0))
"""Largest change between two hand commands."""
