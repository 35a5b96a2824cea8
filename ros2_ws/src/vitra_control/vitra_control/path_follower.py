"""All driven arms along one path with one time scaling: late where limits hold them, never elsewhere."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_control.joint_follower import JointFollower, common_share
from vitra_control.joint_path import JointPath

Array = NDArray[np.float64]

_LEAST_LOOK_S = 1e-4


@dataclass(frozen=True, slots=True)
class Advance:
    """One cycle: how far along the path [path s], and the joints' velocity (dof,)."""

    path_step_s: float
    velocity_rad_s: Array


class PathFollower:
    """Moves a `JointFollower` along a `JointPath`.

    Every cycle it goes as far along the path as its speed profile and the joints' present range allow, for all joints
    the same. Only where no such step exists (a new chunk turns harder than the joints can) do joints leave the path,
    within their limits, and come back to it.

    Args:
        joints: The joints of all driven arms.
        path: Their path.
    """

    def __init__(self, joints: JointFollower, path: JointPath) -> None:
        self.joints, self.path = joints, path
        self.path_s = 0.0
        self.step_s = joints.period_s
        members = round(2 * joints.delay_s / joints.period_s) + 1
        self._recent: deque[float] = deque(maxlen=members)

    def reset(self, position_rad: ArrayLike, path_s: float) -> None:
        """Be at rest here (dof,); setpoints are at `path_s` from now on, the planned state ahead of them."""
        self.joints.reset(position_rad)
        period_s, members = self.joints.period_s, self._recent.maxlen or 1
        self.path_s = path_s + self.joints.delay_s
        self._recent.extend(self.path_s - period_s * k for k in reversed(range(members)))
        self.path.restart(self.path_s, self.joints.planned_rad, np.zeros_like(self.joints.planned_rad))
        self.step_s = period_s

    @property
    def shown_path_s(self) -> float:
        """Path time of the setpoint given last."""
        return sum(self._recent) / len(self._recent)

    @property
    def speed(self) -> float:
        """Speed along the path in the last cycle, 1 where nothing holds the robot back."""
        return self.step_s / self.joints.period_s

    @property
    def off_path_rad(self) -> float:
        """How far the planned state is from the path, largest of all joints."""
        return float(np.abs(self.path.position(self.path_s) - self.joints.planned_rad).max())

    def propose(self, speed: float = 1.0) -> Advance:
        """The next cycle at most this fast along the path; slower than it can slow down it does not become."""
        joints, path, period_s = self.joints, self.path, self.joints.period_s
        wanted_s = min(path.speed(self.path_s), speed, 1.0) * period_s
        most_s = max(min(period_s, path.end_s - self.path_s), 0.0)
        look_s = min(max(wanted_s, self.step_s, _LEAST_LOOK_S), max(most_s, _LEAST_LOOK_S))
        here, there = path.position(self.path_s), path.position(self.path_s + look_s)
        base = joints.closing(here - joints.planned_rad)
        rate = (there - here) / (period_s * look_s)
        least, most = common_share(base, rate, *joints.range())
        if least <= most:
            step_s = min(max(min(most, wanted_s), least, 0.0), most_s)
        else:
            step_s = _least_excess(base, rate, *joints.range(), min(most_s, period_s))
        if step_s != look_s:
            rate = (path.position(self.path_s + step_s) - here) / period_s
            return Advance(step_s, joints.cut(base + rate))
        return Advance(step_s, joints.cut(base + rate * step_s))

    def take(self, advance: Advance) -> Array:
        """Do that cycle; returns the setpoint, shape (dof,)."""
        self.path_s += advance.path_step_s
        self.step_s = advance.path_step_s
        self._recent.append(self.path_s)
        self.path.forget(self.path_s)
        return self.joints.move(advance.velocity_rad_s)

    def brake(self) -> Array:
        """One cycle towards rest, off the path if need be; returns the setpoint (dof,)."""
        self.step_s = 0.0
        self._recent.append(self.path_s)
        return self.joints.brake()

    def turn(self) -> None:
        """The path ahead has changed: forget it, and go on from here in the present direction.

        From rest in any direction, and from where the robot is: one that had to leave its path may not be able to
        return to it.
        """
        if self.joints.at_rest:
            here = self.joints.planned_rad
            self.path.restart(self.path_s, here, np.zeros_like(here))
        else:
            self.path.restart(self.path_s, self.path.position(self.path_s), self.path.slope(self.path_s))


def _least_excess(base: Array, rate: Array, lower: Array, upper: Array, most_s: float) -> float:
    """The step of 0..most_s that asks the least of joints beyond their range."""
    steps_s = np.linspace(0.0, most_s, 11)
    wanted = base + steps_s[:, None] * rate
    excess = np.maximum(lower - wanted, wanted - upper).max(axis=1)
    return float(steps_s[int(excess.argmin())])
