"""Position, velocity and acceleration limits of the joints of one device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_policy.errors import VitraError


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

        Args:
            lower_rad: Smallest positions.
            upper_rad: Largest positions.
            velocity_rad_s: Fastest.
            acceleration_rad_s2: Hardest.

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
        """The same limits with another velocity limit (dof,), never above the present one."""
        velocity = np.minimum(self.velocity_rad_s, _frozen(velocity_rad_s, self.dof))
        return JointLimits.build(self.lower_rad, self.upper_rad, velocity, self.acceleration_rad_s2)

    def clip(self, position_rad: ArrayLike) -> NDArray[np.float64]:
        """Positions moved into the range, shape (dof,)."""
        return np.clip(np.asarray(position_rad, dtype=np.float64), self.lower_rad, self.upper_rad)

    def contains(self, position_rad: ArrayLike, tolerance_rad: float = 1e-9) -> bool:
        """Whether every position (dof,) is within the range."""
        q = np.asarray(position_rad, dtype=np.float64)
        return bool(np.all(q >= self.lower_rad - tolerance_rad) and np.all(q <= self.upper_rad + tolerance_rad))
