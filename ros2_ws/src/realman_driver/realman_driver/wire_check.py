"""The check behind the last queue: what the child process hands to the vendor SDK, whatever delayed it on the way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from realman_driver.frames import Setpoint
from vitra_description.limits import ARM_LIMITS, JointLimits
from vitra_safety.guard import ARM_GUARD
from vitra_safety.setpoint_limiter import SetpointLimiter
from vitra_safety.setpoint_stream import Beginning

Array = NDArray[np.float64]

MAX_AGE_S = 0.05
MAX_BEHIND_RAD = float(np.deg2rad(4.0))


class LeapError(Exception):
    """A setpoint too far from what was sent before it: this process, or the driver, stood still for too long."""


class WireCheck:
    """Passes setpoints on one period at a time: a short pause is caught up with, after a long one nothing leaps.

    Args:
        limits: Of the joints.
        period_s: Time that one setpoint stands for.
        max_age_s: Older setpoints are dropped.
        max_behind_rad: Farther behind, the wire does not catch up any more.
    """

    def __init__(
        self,
        limits: JointLimits = ARM_LIMITS,
        period_s: float = ARM_GUARD.period_s,
        max_age_s: float = MAX_AGE_S,
        max_behind_rad: float = MAX_BEHIND_RAD,
    ) -> None:
        self._limiter = SetpointLimiter(limits, period_s, ARM_GUARD.rate_tolerance)
        self._period_s, self._max_age_s, self._max_behind_rad = period_s, max_age_s, max_behind_rad
        self._last: tuple[int, Array] | None = None
        self.stale = 0

    def pass_on(self, setpoint: Setpoint, measured_rad: Array | None, now_s: float) -> Array | None:
        """What may be sent now, shape (7,); None for a setpoint that is too old.

        Args:
            setpoint: From the driver.
            measured_rad: Newest measured joints, shape (7,).
            now_s: Monotonic time; setpoints carry the same clock.

        Raises:
            LeapError: saying how far it would leap.
        """
        if not -self._period_s <= now_s - setpoint.judged_s <= self._max_age_s:
            self.stale += 1
            return None
        target = np.array(setpoint.position_rad)
        if setpoint.begins:
            if measured_rad is None:
                raise LeapError("a motion begins before the arm has reported where it is")
            self._limiter.rest_at(measured_rad)
            self._last = None
            if setpoint.begins is Beginning.HELD:
                self._refuse_leap(target)
                self._limiter.rest_at(target)
        elif self._last is None:
            raise LeapError("a setpoint without a beginning")
        self._refuse_leap(target)
        velocity = np.zeros_like(target)
        if self._last is not None and setpoint.number > self._last[0]:
            velocity = (target - self._last[1]) / ((setpoint.number - self._last[0]) * self._period_s)
        self._last = (setpoint.number, target)
        return self._limiter.follow(target, velocity)

    def _refuse_leap(self, target: Array) -> None:
        behind_rad = float(np.abs(target - self._limiter.position_rad).max())
        if not behind_rad <= self._max_behind_rad:
            leap, allowed = np.rad2deg(behind_rad), np.rad2deg(self._max_behind_rad)
            raise LeapError(
                f"a setpoint would leap {leap:.1f} deg, allowed {allowed:.1f}: the SDK's process or the driver stood "
                "still (is the machine overloaded?)"
            )
