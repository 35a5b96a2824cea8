"""Inverse kinematics of one arm: one differential step per control tick, and a search for a whole posture.

The step is a damped least squares solution on pinocchio's Jacobian. Its singular value decomposition gives both the
damping, which acts only on directions close to singular, and the exact null space, in which the arm drifts to a rest
posture without moving the wrist. Joints that would leave their limits are fixed at them, one round after another, and
the others take over their share, so that limits hold exactly.

Why not a quadratic program: `benchmarks/ik.py` runs this step and pink with quadprog on the same paths. Both follow
reachable paths to a few micrometres. Near a stretched arm and out of reach the program trades rotation for position
(a tenth nearer, at many times the rotation error). On reachable paths it is slower, and quadprog is licensed under the
GPL. Reach is checked before targets get here, so the short one is the default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_description.kinematics import ArmModel
from vitra_description.limits import ARM_LIMITS, ARM_TELEOP_LIMITS, JointLimits
from vitra_policy.transforms import rotvec_from_matrix

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class IkSettings:
    """Tuning of the differential step.

    Attributes:
        period_s: Time of one step.
        max_linear_m_s: Cap of the wrist's speed towards the target, before limits are looked at.
        max_angular_rad_s: Same for rotation.
        gain: Share of the remaining error taken per step, 0..1.
        singular_value: Damping begins below this singular value (m/rad).
        damping: Damping at a singular value of zero.
        posture_gain_hz: Rate of the drift to the rest posture in the null space.
    """

    period_s: float = 0.005
    max_linear_m_s: float = 0.5
    max_angular_rad_s: float = 2.0
    gain: float = 1.0
    singular_value: float = 0.04
    damping: float = 0.04
    posture_gain_hz: float = 1.0


@dataclass(frozen=True, slots=True)
class IkStep:
    """One step.

    Attributes:
        position_rad: Joint positions to command, shape (7,).
        velocity_rad_s: The change over the period, shape (7,).
        position_error_m: Distance from the target before the step.
        rotation_error_rad: Rotation from the target before the step.
        limited: Joints held at a position or velocity limit, shape (7,) of bool.
        capped: Whether the target was further than one step may go.
        missed_m: Part of the distance asked of this step that joints at a limit or a singularity leave undone.
        missed_rad: Same for rotation.
    """

    position_rad: Array
    velocity_rad_s: Array
    position_error_m: float
    rotation_error_rad: float
    limited: NDArray[np.bool_]
    capped: bool
    missed_m: float
    missed_rad: float


@dataclass(frozen=True, slots=True)
class IkSolution:
    """Result of `solve_ik`; `position_rad` is the best posture found, whether or not it `converged`."""

    position_rad: Array
    converged: bool
    position_error_m: float
    rotation_error_rad: float
    restarts: int


class DifferentialIk:
    """Follows wrist targets with one arm, one bounded step per tick.

    Args:
        arm: The arm, with its hand's extrinsics.
        rest_rad: Posture that the null space drifts to, shape (7,); usually `postures.home(side)`.
        limits: Position and velocity limits that every step keeps.
        settings: Tuning.
    """

    def __init__(
        self,
        arm: ArmModel,
        rest_rad: ArrayLike,
        limits: JointLimits = ARM_TELEOP_LIMITS,
        settings: IkSettings | None = None,
    ) -> None:
        self._arm = arm
        self._limits = limits
        self._settings = settings or IkSettings()
        self._rest = np.array(rest_rad, dtype=np.float64)

    def step(self, q_rad: ArrayLike, target: ArrayLike) -> IkStep:
        """Joint positions one period later, on the way from `q_rad` to the wrist pose `target`.

        Args:
            q_rad: Present (commanded) joint positions, shape (7,). Outside the limits, the step leads back inside
                at the velocity limit.
            target: `arm_base_from_hand_mount`, shape (4, 4).
        """
        s = self._settings
        q = np.asarray(q_rad, dtype=np.float64)
        pose, J = self._arm.wrist_pose_and_jacobian(q)
        error = pose_error(pose, np.asarray(target, dtype=np.float64))
        distance, angle = float(np.sqrt(error[:3] @ error[:3])), float(np.sqrt(error[3:] @ error[3:]))
        share = min(1.0, s.max_linear_m_s * s.period_s / max(distance, 1e-12))
        turn = min(1.0, s.max_angular_rad_s * s.period_s / max(angle, 1e-12))
        task = error * s.gain
        task[:3] *= share
        task[3:] *= turn
        posture = (self._rest - q) * (s.posture_gain_hz * s.period_s)
        lower, upper = step_bounds(q, self._limits, s.period_s)
        dq, limited = bounded_step(J, task, posture, (lower, upper), Damping(s.singular_value, s.damping))
        missed = task - J @ dq
        missed_m, missed_rad = float(np.sqrt(missed[:3] @ missed[:3])), float(np.sqrt(missed[3:] @ missed[3:]))
        capped = min(share, turn) < 1.0
        return IkStep(q + dq, dq / s.period_s, distance, angle, limited, capped, missed_m, missed_rad)


def pose_error(pose: Array, target: Array) -> Array:
    """What moves `pose` to `target`: translation (m) above rotation vector (rad), both in base axes, shape (6,)."""
    error = np.empty(6)
    error[:3] = target[:3, 3] - pose[:3, 3]
    error[3:] = _rotation_vector(target[:3, :3] @ pose[:3, :3].T)
    return error


def _rotation_vector(R: Array) -> Array:
    axis = np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]]) / 2
    sine = float(np.sqrt(axis @ axis))
    cosine = (float(R[0, 0] + R[1, 1] + R[2, 2]) - 1) / 2
    if sine < 1e-9 and cosine > 0:
        return axis
    if sine < 1e-4 and cosine < 0:  # close to half a turn the antisymmetric part says nothing of the axis
        return np.asarray(rotvec_from_matrix(R), dtype=np.float64)
    return np.asarray(axis * (np.arctan2(sine, cosine) / sine))


def step_bounds(q: Array, limits: JointLimits, period_s: float) -> tuple[Array, Array]:
    """Smallest and largest joint change that keep position and velocity limits, each of shape (dof,).

    Args:
        q: Joints (dof,) [rad].
        limits: Of position and velocity.
        period_s: Duration of the step.
    """
    reach = limits.velocity_rad_s * period_s
    lower = np.minimum(np.maximum(limits.lower_rad - q, -reach), reach)
    upper = np.minimum(np.maximum(limits.upper_rad - q, -reach), reach)
    return lower, upper


class Damping(NamedTuple):
    """How the solution is damped near a singular posture."""

    singular_value: float
    """Damping begins below this singular value."""
    most: float
    """Damping at a singular value of zero."""


def bounded_step(
    J: Array, task: Array, posture: Array, bounds: tuple[Array, Array], damping: Damping
) -> tuple[Array, NDArray[np.bool_]]:
    """Joint change that serves the task first, the posture in its null space, and never leaves the bounds.

    Args:
        J: Jacobian, shape (6, n).
        task: Wanted wrist change, shape (6,).
        posture: Wanted joint change where the task leaves freedom, shape (n,).
        bounds: Smallest and largest joint change, each of shape (n,).
        damping: Where the Jacobian is nearly singular.

    Returns:
        The change and which joints are at a bound, both of shape (n,).
    """
    n, (lower, upper) = J.shape[1], bounds
    dq = _damped_solution(J, task, posture, bounds, damping)
    free = np.ones(n, dtype=bool)
    for _ in range(n):
        excess = np.maximum(dq - upper, lower - dq)
        worst = float(excess.max())
        if worst <= 1e-12:
            break
        free &= excess <= 0.5 * worst
        dq[~free] = np.minimum(np.maximum(dq[~free], lower[~free]), upper[~free])
        if not free.any():
            break
        rest = task - J[:, ~free] @ dq[~free]
        dq[free] = _damped_solution(J[:, free], rest, posture[free], (lower[free], upper[free]), damping)
    return np.minimum(np.maximum(dq, lower), upper), ~free


def _damped_solution(J: Array, task: Array, posture: Array, bounds: tuple[Array, Array], damping: Damping) -> Array:
    rank, (lower, upper) = min(J.shape), bounds
    U, s, Vt = np.linalg.svd(J, full_matrices=True)
    squares = s * s
    lack = np.maximum(0.0, 1.0 - squares / damping.singular_value**2)
    dq = np.asarray(((task @ U[:, :rank]) * (s / (squares + (lack * damping.most**2 + 1e-12)))) @ Vt[:rank])
    if rank < J.shape[1]:
        null = Vt[rank:]
        drift = (null @ posture) @ null
        # The posture must not push a joint over a bound that the task alone keeps.
        room = np.where(drift > 0, upper - dq, dq - lower) / np.maximum(np.abs(drift), 1e-12)
        dq += drift * min(1.0, max(0.0, float(room.min())))
    return dq


@dataclass(frozen=True, slots=True)
class IkSearch:
    """How a posture is looked for."""

    restarts: int = 20
    """Further starts after the seed."""
    iterations: int = 150
    """Steps per start."""
    position_tolerance_m: float = 1e-5
    """Largest distance that counts as there."""
    rotation_tolerance_rad: float = 1e-4
    """Largest rotation that counts as there."""
    random_seed: int = 0
    """Seed of the random starts."""


def solve_ik(
    arm: ArmModel,
    target: ArrayLike,
    seed_rad: ArrayLike,
    limits: JointLimits = ARM_LIMITS,
    search: IkSearch | None = None,
) -> IkSolution:
    """A posture within limits that puts the wrist at `target`, starting near `seed_rad`; for resets and reachability.

    The same bounded step in large strides; where it gets stuck, again from random postures (repeatable).

    Args:
        arm: The arm, with its hand's extrinsics.
        target: `arm_base_from_hand_mount`, shape (4, 4).
        seed_rad: First start and the posture preferred among redundant ones, shape (7,).
        limits: Position limits of the result.
        search: How long to look, and how near is near enough.
    """
    search = search or IkSearch()
    goal = np.asarray(target, dtype=np.float64)
    seed = limits.clip(seed_rad)
    rng = np.random.default_rng(search.random_seed)
    best: IkSolution | None = None
    for attempt in range(search.restarts + 1):
        start = seed if attempt == 0 else rng.uniform(limits.lower_rad, limits.upper_rad)
        q, distance, angle = _descend(arm, goal, start, seed, limits, search.iterations)
        converged = distance <= search.position_tolerance_m and angle <= search.rotation_tolerance_rad
        if best is None or converged or distance + 0.1 * angle < best.position_error_m + 0.1 * best.rotation_error_rad:
            best = IkSolution(q, converged, distance, angle, attempt)
        if converged:
            break
    assert best is not None
    return best


def _descend(
    arm: ArmModel, goal: Array, start: Array, rest: Array, limits: JointLimits, iterations: int
) -> tuple[Array, float, float]:
    q = start.copy()
    distance = angle = np.inf
    for i in range(iterations):
        pose, J = arm.wrist_pose_and_jacobian(q)
        error = pose_error(pose, goal)
        distance, angle = float(np.linalg.norm(error[:3])), float(np.linalg.norm(error[3:]))
        if distance < 1e-6 and angle < 1e-5:
            break
        stride = min(1.0, 0.15 / max(distance, 1e-12), 0.5 / max(angle, 1e-12))
        lower, upper = np.maximum(limits.lower_rad - q, -0.4), np.minimum(limits.upper_rad - q, 0.4)
        posture = (rest - q) * 0.1 * (1 - i / iterations)
        dq, _ = bounded_step(J, error * stride, posture, (lower, upper), Damping(0.05, 0.05))
        q = limits.clip(q + dq)
    return q, distance, angle
