"""Joint trajectories of other programs (MoveIt, say): read, checked against limits, and sampled by time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_description.limits import JointLimits
from vitra_description.names import ARM_DOF, arm_joints
from vitra_policy.action_space import Side
from vitra_policy.errors import VitraError

Array = NDArray[np.float64]

START_TOLERANCE_RAD = 0.05
"""How far a trajectory's start may be from where the arm is."""
END_SPEED_RAD_S = 0.01
"""Up to this the last point is at rest; planners leave a little."""
MOST_POINTS = 500
"""More are refused: rclpy unpacks 2000 in one piece of 40 ms, in which no setpoint leaves."""
_LONGEST_S = 120.0
_SAMPLE_S = 0.01


class TrajectoryRefusedError(VitraError):
    """A trajectory that this arm cannot follow; `joints` tells whether its joint names are why."""

    def __init__(self, message: str, joints: bool = False) -> None:
        super().__init__(message)
        self.joints = joints


@dataclass(frozen=True, slots=True)
class JointTrajectory:
    """Positions and velocities of the 7 arm joints at times from its start, cubic in between.

    Attributes:
        times_s: (n,) from 0, rising.
        position_rad: (n, 7), joints in order.
        velocity_rad_s: (n, 7).
    """

    times_s: Array
    position_rad: Array
    velocity_rad_s: Array

    @property
    def duration_s(self) -> float:
        """Time of the last point."""
        return float(self.times_s[-1])

    def at(self, time_s: float) -> tuple[Array, Array]:
        """Position and velocity (7,) at a time; at rest at the end afterwards."""
        position, velocity = self.sample(np.array([time_s]))
        return position[0], velocity[0]

    def sample(self, times_s: Array) -> tuple[Array, Array]:
        """Positions and velocities (m, 7) at times (m,), as `at` has them, in one go."""
        i = np.maximum(np.searchsorted(self.times_s, times_s, side="right") - 1, 0)
        j = np.minimum(i + 1, len(self.times_s) - 1)
        h = np.where(j > i, self.times_s[j] - self.times_s[i], 1.0)[:, None]
        s = np.clip((times_s - self.times_s[i])[:, None] / h, 0.0, 1.0)
        p0, p1 = self.position_rad[i], self.position_rad[j]
        m0, m1 = self.velocity_rad_s[i] * h, self.velocity_rad_s[j] * h
        position = p0 + s * m0 + s * s * (3 * (p1 - p0) - 2 * m0 - m1) + s**3 * (2 * (p0 - p1) + m0 + m1)
        velocity = (m0 + 2 * s * (3 * (p1 - p0) - 2 * m0 - m1) + 3 * s * s * (2 * (p0 - p1) + m0 + m1)) / h
        over = times_s >= self.times_s[-1]
        position[over], velocity[over] = self.position_rad[-1], 0.0
        return position, velocity


@dataclass(frozen=True, slots=True)
class TrajectoryPoints:
    """Points as another program sends them, not yet judged."""

    names: Sequence[str]
    """Joints in the message's order."""
    times_s: Sequence[float]
    """From the start, of every point."""
    positions: Sequence[ArrayLike]
    """Of every point, in that order [rad]."""
    velocities: Sequence[ArrayLike]
    """The same [rad/s], or empty where they are not given."""


def read_trajectory(side: Side, points: TrajectoryPoints, start_rad: ArrayLike, limits: JointLimits) -> JointTrajectory:
    """A trajectory of a message, from where the arm is.

    Args:
        side: Whose arm.
        points: As the message has them.
        start_rad: Where the arm is, shape (7,).
        limits: Position and velocity limits.

    Raises:
        TrajectoryRefusedError: says what is wrong with it.
    """
    joints, names, times_s = arm_joints(side), points.names, points.times_s
    positions, velocities = points.positions, points.velocities
    if sorted(names) != sorted(joints):
        raise TrajectoryRefusedError(f"Joints must be {', '.join(joints)}, got {', '.join(names) or 'none'}.", True)
    if not 1 <= len(times_s) <= MOST_POINTS:
        raise TrajectoryRefusedError(f"A trajectory has 1 to {MOST_POINTS} points, this one {len(times_s)}.")
    if any(np.shape(point) != (ARM_DOF,) for point in positions):
        raise TrajectoryRefusedError(f"Every point needs {ARM_DOF} positions.")
    if any(np.shape(point) not in ((ARM_DOF,), (0,)) for point in velocities):
        raise TrajectoryRefusedError(f"Every point needs {ARM_DOF} velocities or none.")
    order = [list(names).index(name) for name in joints]
    times = np.asarray(times_s, dtype=np.float64)
    q = np.asarray([np.asarray(point)[order] for point in positions], dtype=np.float64)
    given = all(np.shape(point) == (ARM_DOF,) for point in velocities)
    v = np.asarray([np.asarray(p)[order] for p in velocities], dtype=np.float64) if given else None
    if not (np.isfinite(times).all() and np.isfinite(q).all() and (v is None or np.isfinite(v).all())):
        raise TrajectoryRefusedError("Times, positions and velocities must be finite numbers.")
    start = np.asarray(start_rad, dtype=np.float64)
    if times[0] > 0:
        times, q = np.r_[0.0, times], np.concatenate([start[None], q])
        v = None if v is None else np.concatenate([np.zeros((1, ARM_DOF)), v])
    if times[0] < 0 or (np.diff(times) <= 0).any() or times[-1] > _LONGEST_S:
        raise TrajectoryRefusedError(f"Times must rise from 0 and end within {_LONGEST_S:g} s.")
    away = float(np.abs(q[0] - start).max())
    if away > START_TOLERANCE_RAD:
        raise TrajectoryRefusedError(
            f"The trajectory starts {away:.2f} rad from where the {side} arm is; at most {START_TOLERANCE_RAD:g} are "
            "allowed. Plan from the present state."
        )
    if v is not None and np.abs(v[-1]).max() > END_SPEED_RAD_S:
        raise TrajectoryRefusedError(
            f"The last point still moves, by up to {np.abs(v[-1]).max():.2g} rad/s. A trajectory must end at rest."
        )
    q[0] = start
    made = JointTrajectory(times, q, _slopes(times, q) if v is None else v)
    _check_limits(side, made, limits)
    return made


class TrajectoryRun:
    """A trajectory under way.

    Args:
        trajectory: What is followed.
    """

    def __init__(self, trajectory: JointTrajectory) -> None:
        self.trajectory = trajectory
        self.elapsed_s = 0.0
        self.canceled = False
        self._rest: Array | None = None

    def advance(self, period_s: float, share: float = 1.0) -> tuple[Array, Array]:
        """Target and rate (7,) one cycle later, at a part of the trajectory's own speed."""
        if self._rest is not None:
            return self._rest, np.zeros(ARM_DOF)
        self.elapsed_s += period_s * share
        position, velocity = self.trajectory.at(self.elapsed_s)
        return position, velocity * share

    def cancel(self, position_rad: Array, velocity_rad_s: Array, limits: JointLimits) -> None:
        """Come to rest as soon as the limits allow.

        Args:
            position_rad: Where the joints are (dof,).
            velocity_rad_s: Their speed (dof,).
            limits: Of the arm.
        """
        self.canceled = True
        way = velocity_rad_s * np.abs(velocity_rad_s) / limits.acceleration_rad_s2
        self._rest = limits.clip(position_rad + way)

    @property
    def is_over(self) -> bool:
        """Whether nothing further is asked for."""
        return self._rest is not None or self.elapsed_s >= self.trajectory.duration_s

    @property
    def goal_rad(self) -> Array:
        """Where it ends, shape (7,)."""
        return self.trajectory.position_rad[-1] if self._rest is None else self._rest


def _slopes(times: Array, q: Array) -> Array:
    """Velocities through points that have none: at rest at both ends, level at turns (Fritsch and Carlson 1980)."""
    v = np.zeros_like(q)
    if len(times) > 2:
        slopes = np.diff(q, axis=0) / np.diff(times)[:, None]
        before, after = slopes[:-1], slopes[1:]
        product = before * after
        v[1:-1] = np.where(product > 0, 2 * product / np.where(product > 0, before + after, 1.0), 0.0)
    return v


def _check_limits(side: Side, trajectory: JointTrajectory, limits: JointLimits) -> None:
    times, lasting_s = trajectory.times_s, np.diff(trajectory.times_s)
    between = (times[:-1, None] + lasting_s[:, None] * np.linspace(0.0, 1.0, 4, endpoint=False)).ravel()
    with np.errstate(all="ignore"):  # numbers so large or times so near that they overflow are beyond every limit
        q, v = trajectory.sample(np.r_[np.arange(0.0, trajectory.duration_s + _SAMPLE_S, _SAMPLE_S), between])
        q = np.concatenate([q, trajectory.position_rad])
        v = np.concatenate([v, np.diff(trajectory.position_rad, axis=0) / lasting_s[:, None]])
        beyond_rad = np.maximum(q - limits.upper_rad, limits.lower_rad - q).max(axis=0)
        beyond_rad_s = (np.abs(v) - limits.velocity_rad_s).max(axis=0)
    for name, beyond, unit in (
        ("position", np.nan_to_num(beyond_rad, nan=np.inf), "rad"),
        ("velocity", np.nan_to_num(beyond_rad_s, nan=np.inf), "rad/s"),
    ):
        worst = int(np.argmax(beyond))
        if beyond[worst] > 1e-3:
            joint = arm_joints(side)[worst]
            raise TrajectoryRefusedError(
                f"{joint} would exceed its {name} limit by {beyond[worst]:.3g} {unit}. Slow the trajectory down, or "
                "plan within docs/robot.md's limits."
            )
