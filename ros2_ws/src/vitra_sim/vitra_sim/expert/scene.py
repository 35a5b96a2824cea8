"""What the scripted expert reads out of an observation: the hand, the objects, and how far the task is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import Calibration
from vitra_policy.action_space import FINGERS, HAND, ROTATION, SIDES, TRANSLATION, Side
from vitra_policy.places import is_left, is_piece
from vitra_policy.policies.policy import (
    BASE_FROM_CAMERA,
    SIM_OBJECT_NAMES,
    SIM_OBJECT_POSES,
    SIM_OBJECT_SIZES,
    SIM_TASK,
    Observation,
    PolicyError,
)
from vitra_policy.transforms import invert_pose, make_pose, matrix_from_euler_xyz
from vitra_sim.expert.grasp import CLEARANCE_M, Grasp, base_from_wrist, plan_grasp
from vitra_sim.scene.scene import BOX_NAME
from vitra_sim.tasks.tasks import Goal, Task, get_task

Array = NDArray[np.float64]

_GRIPPED = 0.7  # of the way of the fingers to the object
_UPRIGHT = 0.9  # cosine of the tilt up to which an object counts as standing


class Scene:
    """What the expert reads out of an observation, in base_link."""

    def __init__(self, observation: Observation, calibration: Calibration) -> None:
        extras = observation.extras
        self.task: Task = get_task(str(extras[SIM_TASK]))
        self.side: Side = self.task.side
        self.acts = np.array([side is self.side for side in SIDES])
        if not observation.hands[SIDES.index(self.side)]:
            raise PolicyError(
                f"Task '{self.task.name}' is for the {self.side} hand, but the instruction "
                f"'{observation.instruction}' does not ask it to act. Say: {self.task.instruction}"
            )
        base_from_camera = np.asarray(extras[BASE_FROM_CAMERA], dtype=np.float64)
        self.camera_from_base = invert_pose(base_from_camera)
        hand = observation.state[HAND[self.side]]
        self.wrist = base_from_camera @ make_pose(hand[TRANSLATION], matrix_from_euler_xyz(hand[ROTATION]))
        self.fingers_rad = calibration.hand.map.joints_from_fingers(hand[FINGERS])
        names = [str(name) for name in np.asarray(extras[SIM_OBJECT_NAMES])]
        for name in (self.task.target, BOX_NAME):
            if name not in names:
                raise PolicyError(f"The scene has no '{name}' (it has: {', '.join(names)}): reset it to this task.")
        poses, sizes = np.asarray(extras[SIM_OBJECT_POSES]), np.asarray(extras[SIM_OBJECT_SIZES])
        target, box = names.index(self.task.target), names.index(BOX_NAME)
        self.object_pose, self.object_half_m = poses[target], sizes[target]
        self.box_centre_m, self.box_half_m = poses[box][:3, 3], sizes[box]
        self.pieces_m = np.array([pose[:3, 3] for name, pose in zip(names, poses, strict=True) if is_piece(name)])
        self.grasp: Grasp = plan_grasp(
            self.side, self.task.kind, self.object_pose, self.object_half_m, calibration.hand
        )
        self._calibration = calibration

    def wrist_for(self, centre_m: Array, yaw_rad: float) -> Array:
        """Wrist pose that holds the object with its centre somewhere.

        Args:
            centre_m: Middle of the object (3,).
            yaw_rad: Its turn about the vertical.
        """
        return base_from_wrist(self._calibration, self.grasp, centre_m, yaw_rad)

    @property
    def box_floor_m(self) -> float:
        """Height of the table under the box."""
        return float(self.box_centre_m[2] - self.box_half_m[2])

    @property
    def is_upright(self) -> bool:
        """The object stands, or lies as it was put there."""
        return bool(self.object_pose[2, 2] > _UPRIGHT)

    @property
    def is_done(self) -> bool:
        """As the judge sees it, near enough."""
        match self.task.goal:
            case Goal.IN_BOX:
                return bool(self._over_box(self.object_pose[:3, 3], 2 * float(self.object_half_m.max())))
            case Goal.HELD:
                return self.is_held
            case _:
                return len(self.pieces_left_m) == 0

    @property
    def pieces_left_m(self) -> Array:
        """Centres (n, 3) of the balls or cubes that are not yet where they belong."""
        if not len(self.pieces_m):
            return self.pieces_m
        return np.asarray(self.pieces_m[is_left(self.pieces_m, self.box_centre_m, self.box_half_m)])

    def _over_box(self, centre_m: Array, below_m: float) -> bool:
        offset = centre_m - self.box_centre_m
        return bool(np.all(np.abs(offset[:2]) < self.box_half_m[:2]) and offset[2] < below_m)

    @property
    def is_held(self) -> bool:
        """The object hangs in the hand: clear of the table and at the pads."""
        lowest = self.object_pose[2, 3] - self.object_half_m[2]
        return bool(lowest > self.box_floor_m + 0.03) and self._is_at_pads

    @property
    def is_gripped(self) -> bool:
        """The hand has closed on the object, which may stand on the table."""
        wide = self.grasp.posture(self.grasp.closure_for(self.grasp.width_m + CLEARANCE_M))
        closed_rad = float(np.linalg.norm(self.grasp.posture(self.grasp.closure) - wide))
        return self._is_at_pads and float(np.linalg.norm(self.fingers_rad - wide)) > _GRIPPED * closed_rad

    @property
    def _is_at_pads(self) -> bool:
        pads = self.wrist_for(self.object_pose[:3, 3], 0.0)  # only the distance counts
        reach = float(np.linalg.norm(pads[:3, 3] - self.object_pose[:3, 3]))
        distance = float(np.linalg.norm(self.wrist[:3, 3] - self.object_pose[:3, 3]))
        return abs(distance - reach) < 0.04

    @property
    def pieces_behind_m(self) -> Array:
        """Centres (n, 3) of the pieces that are left and that the tool is past, on its way inwards."""
        inwards = 1.0 if self.side is Side.RIGHT else -1.0
        left = self.pieces_left_m
        return np.asarray(left[inwards * (left[:, 1] - self.object_pose[1, 3]) < 0.0])
