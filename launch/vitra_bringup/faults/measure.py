"""How the simulated arms came to rest, out of the world's own record of their joints at 200 Hz."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_description.kinematics import ArmModel
from vitra_description.limits import ARM_LIMITS
from vitra_policy.action_space import SIDES

Array = NDArray[np.float64]

STILL_RAD = np.radians(0.3)
MOST_VELOCITY_RAD_S = np.radians(90.0)
_SLACK = 1.05


@dataclass(frozen=True, slots=True)
class ArmMotion:
    """Joints over time.

    Attributes:
        stamp_s: (n,) system time.
        t_s: (n,) simulated time.
        q_rad: (n, 7) by side.
    """

    stamp_s: Array
    t_s: Array
    q_rad: dict[str, Array]

    def between(self, begin_s: float, end_s: float) -> ArmMotion:
        """The part within two moments of system time."""
        keep = (self.stamp_s >= begin_s) & (self.stamp_s <= end_s)
        return ArmMotion(self.stamp_s[keep], self.t_s[keep], {side: q[keep] for side, q in self.q_rad.items()})


@dataclass(frozen=True, slots=True)
class Stop:
    """How both arms behaved after a moment.

    Attributes:
        to_rest_s: Simulated time until both stayed where they ended up; 0 for arms that stood already.
        distance_m: Longest way of a wrist in that time.
        velocity_rad_s: Fastest joint, from half a second before on.
        acceleration_rad_s2: Largest joint acceleration, over 20 ms.
        within_limits: Whether no joint was faster than the drivers allow or beyond its range.
    """

    to_rest_s: float
    distance_m: float
    velocity_rad_s: float
    acceleration_rad_s2: float
    within_limits: bool


def read_motion(lines: Iterable[str]) -> ArmMotion:
    """Motion out of the lines of a `MotionTrace`; an unfinished last line is passed over."""
    rows = []
    for line in lines:
        if line.endswith("\n"):
            rows.append(json.loads(line))
    return ArmMotion(
        np.array([row["stamp"] for row in rows]),
        np.array([row["t"] for row in rows]),
        {side: np.array([row[side]["q"] for row in rows]).reshape(-1, 7) for side in SIDES},
    )


def measure(motion: ArmMotion, since_s: float) -> Stop:
    """How the arms came to rest after a moment of system time, judged on everything until the motion's end."""
    after = motion.between(since_s, np.inf)
    begin_s = float(np.interp(since_s, motion.stamp_s, motion.t_s))
    to_rest_s, distance_m = 0.0, 0.0
    for q in after.q_rad.values():
        if not len(q):
            continue
        moving = np.flatnonzero(np.abs(q - q[-1]).max(axis=1) > STILL_RAD)
        if len(moving):
            to_rest_s = max(to_rest_s, float(after.t_s[moving[-1]] - begin_s))
            distance_m = max(distance_m, way_m(np.r_[q[: moving[-1] + 2], q[-1:]]))
    near = motion.between(since_s - 0.5, np.inf)
    velocities, accelerations = zip(*(_rates(near.t_s, q) for q in near.q_rad.values()), strict=True)
    inside = all(ARM_LIMITS.contains(row, 1e-3) for q in near.q_rad.values() for row in q[::10])
    velocity = max(velocities)
    return Stop(
        to_rest_s, distance_m, velocity, max(accelerations), inside and velocity <= _SLACK * MOST_VELOCITY_RAD_S
    )


def way_m(q_rad: Array) -> float:
    """Length of the wrist's way over postures (n, 7)."""
    arm = ArmModel()
    points = np.array([arm.fk(q)[:3, 3] for q in q_rad])
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum()) if len(points) > 1 else 0.0


def wrist_speed_m_s(motion: ArmMotion, at_s: float, side: str) -> float:
    """Speed of a wrist over the 50 ms before a moment.

    Args:
        motion: What the simulated joints did.
        at_s: The moment, on the motion's clock.
        side: Whose wrist.
    """
    before = motion.between(at_s - 0.05, at_s)
    if len(before.t_s) < 2:
        return 0.0
    return way_m(before.q_rad[side]) / max(float(before.t_s[-1] - before.t_s[0]), 1e-9)


def _rates(t_s: Array, q_rad: Array) -> tuple[float, float]:
    """Largest velocity and, smoothed over four ticks, acceleration."""
    if len(t_s) < 10:
        return 0.0, 0.0
    velocity = np.diff(q_rad, axis=0) / np.maximum(np.diff(t_s), 1e-4)[:, None]
    smooth = (velocity[4:] - velocity[:-4]) / np.maximum(t_s[5:] - t_s[1:-4], 1e-4)[:, None]
    return float(np.abs(velocity).max()), float(np.abs(smooth).max())
