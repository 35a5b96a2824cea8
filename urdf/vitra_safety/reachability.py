"""Which wrist poses one arm can take, with how much to spare; task zones are derived from this, not guessed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import Calibration
from vitra_description.ik import IkSearch, solve_ik
from vitra_description.kinematics import ArmModel
from vitra_description.limits import ARM_LIMITS, JointLimits
from vitra_description.names import ArmVariant, parse_side
from vitra_description.postures import home
from vitra_policy.action_space import Side
from vitra_policy.transforms import invert_pose, make_pose
from vitra_safety.collision import CollisionModel

Array = NDArray[np.float64]

GRASP_POINT_M = {Side.RIGHT: (0.045, 0.02, 0.14), Side.LEFT: (0.045, -0.02, 0.14)}
"""Point between the opposed thumb and the fingers, in the hand's own frame."""


@dataclass(frozen=True, slots=True)
class TaskZone:
    """Grasp points and hand orientations that a task may ask for, in base coordinates.

    The hand points ahead with the palm down; `pitch` tilts the fingers down, `yaw` turns the hand to the left.

    Attributes:
        x_m: Range ahead.
        y_m: Range to the left.
        z_m: Range of heights.
        pitch_rad: Angles of the fingers below the horizontal.
        yaw_rad: Angles about the vertical.
        steps: Grid points per axis of x, y, z.
    """

    x_m: tuple[float, float]
    y_m: tuple[float, float]
    z_m: tuple[float, float]
    pitch_rad: tuple[float, ...]
    yaw_rad: tuple[float, ...]
    steps: tuple[int, int, int] = (3, 3, 2)

    def wrist_poses(self, side: str, calibration: Calibration) -> Iterator[Array]:
        """Every wrist pose of the grid, `base_from_hand_mount`, each (4, 4)."""
        mount = calibration.side(side).hand_base_from_hand_mount
        ranges = (self.x_m, self.y_m, self.z_m)
        axes = [np.linspace(*limits, n) for limits, n in zip(ranges, self.steps, strict=True)]
        for pitch in self.pitch_rad:
            for yaw in self.yaw_rad:
                for point in np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3):
                    yield grasp_hand_pose(side, point, pitch, yaw) @ mount


@dataclass(frozen=True, slots=True)
class PoseReach:
    """One pose: how it was reached, or how far off the best posture is.

    Attributes:
        reached: Whether within limits and clear of collisions.
        position_rad: The posture, shape (7,).
        position_error_m: Remaining distance.
        rotation_error_rad: Remaining rotation.
        limit_margin_rad: Distance of the closest joint from its limit.
        manipulability: Smallest singular value of the wrist Jacobian.
        distance_m: Distance to the closest obstacle.
    """

    reached: bool
    position_rad: Array
    position_error_m: float
    rotation_error_rad: float
    limit_margin_rad: float
    manipulability: float
    distance_m: float


@dataclass(frozen=True, slots=True)
class ReachabilityReport:
    """Result over a set of poses."""

    poses: tuple[PoseReach, ...]

    @property
    def reached(self) -> int:
        """How many poses are reached."""
        return sum(pose.reached for pose in self.poses)

    @property
    def all_reached(self) -> bool:
        """Whether every pose is reached."""
        return self.reached == len(self.poses)

    def __str__(self) -> str:
        margin = min((p.limit_margin_rad for p in self.poses if p.reached), default=float("nan"))
        worst = max((p.position_error_m for p in self.poses), default=0.0)
        return (
            f"{self.reached} of {len(self.poses)} wrist poses reached; closest to a joint limit "
            f"{np.rad2deg(margin):.1f} deg; largest miss {worst * 1e3:.1f} mm"
        )


def grasp_hand_pose(side: str, point_m: Sequence[float] | Array, pitch_rad: float, yaw_rad: float) -> Array:
    """Hand pose `base_from_hand_base` whose grasp point is at `point_m`, fingers ahead and down, shape (4, 4).

    Args:
        side: Which hand.
        point_m: Where the grasp point is to be, base_link.
        pitch_rad: Of the fingers below the horizontal.
        yaw_rad: About the vertical.
    """
    fingers = np.array([np.cos(pitch_rad), 0.0, -np.sin(pitch_rad)])
    palm = np.array([-np.sin(pitch_rad), 0.0, -np.cos(pitch_rad)])
    turn = np.array(
        [[np.cos(yaw_rad), -np.sin(yaw_rad), 0.0], [np.sin(yaw_rad), np.cos(yaw_rad), 0.0], [0.0, 0.0, 1.0]]
    )
    rotation = turn @ np.column_stack([palm, np.cross(fingers, palm), fingers])
    origin = np.asarray(point_m) - rotation @ np.array(GRASP_POINT_M[parse_side(side)])
    return np.asarray(make_pose(origin, rotation), dtype=np.float64)


def default_task_zone(side: str) -> TaskZone:
    """Grasps on the simulator's table in front of one arm: 10 x 30 cm, from 6 cm beyond the middle."""
    mirror = 1.0 if parse_side(side) is Side.LEFT else -1.0
    y_m = (-0.06 * mirror, 0.24 * mirror)
    yaw_rad = tuple(float(np.deg2rad(-mirror * deg)) for deg in (-20.0, 10.0, 40.0))
    pitch_rad = tuple(float(np.deg2rad(deg)) for deg in (40.0, 50.0))
    return TaskZone((0.34, 0.44), y_m, (0.80, 0.96), pitch_rad, yaw_rad, (3, 4, 2))


@dataclass(frozen=True, slots=True)
class ReachDemands:
    """What counts as reached."""

    limits: JointLimits = ARM_LIMITS
    """Position limits of the postures."""
    variant: str = ArmVariant.RM75_6F
    """Kind of arm."""
    min_distance_m: float = 0.0
    """Smallest distance of the arm to itself, torso and table."""
    restarts: int = 20
    """Random starts after the previous posture."""


def check_reachability(
    side: str, calibration: Calibration, wrist_poses: Iterable[Array], demands: ReachDemands | None = None
) -> ReachabilityReport:
    """Solve every wrist pose for one arm, each started from the previous posture.

    Args:
        side: Which arm.
        calibration: How it is mounted.
        wrist_poses: `base_from_hand_mount`, (4, 4) each.
        demands: What counts as reached; None: within the arm's limits.
    """
    demands = demands or ReachDemands()
    limits, variant = demands.limits, demands.variant
    extrinsics = calibration.side(side)
    arm = ArmModel(variant, extrinsics)
    obstacles = CollisionModel(calibration, (side,), variant=variant)
    arm_base_from_base = np.asarray(invert_pose(extrinsics.base_from_arm_base), dtype=np.float64)
    seed = home(side)
    results = []
    for pose in wrist_poses:
        solution = solve_ik(arm, arm_base_from_base @ pose, seed, limits, search=IkSearch(restarts=demands.restarts))
        q = solution.position_rad
        distance = obstacles.distance_m(q)
        singular = float(np.linalg.svd(arm.wrist_jacobian(q), compute_uv=False)[-1])
        margin = float(np.min(np.minimum(q - limits.lower_rad, limits.upper_rad - q)))
        results.append(
            PoseReach(
                reached=solution.converged and distance >= demands.min_distance_m,
                position_rad=q,
                position_error_m=solution.position_error_m,
                rotation_error_rad=solution.rotation_error_rad,
                limit_margin_rad=margin,
                manipulability=singular,
                distance_m=distance,
            )
        )
        seed = q if solution.converged else home(side)
    return ReachabilityReport(tuple(results))
