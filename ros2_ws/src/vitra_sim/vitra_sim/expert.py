"""A scripted expert that knows where the objects are and speaks the policy's language: 102-d camera-frame chunks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import Calibration, calibration_path, load_calibration
from vitra_description.names import SIDES, Side
from vitra_policy.action_space import FINGERS, HAND, HAND_DIM, ROTATION, STEPS, TRANSLATION, WRIST
from vitra_policy.hand.xhand_map import mano_from_xhand, xhand_from_mano
from vitra_policy.inference.policy import (
    BASE_FROM_CAMERA,
    SIM_OBJECT_NAMES,
    SIM_OBJECT_POSES,
    SIM_OBJECT_SIZES,
    SIM_TASK,
    ActionChunk,
    Observation,
    PolicyError,
    PolicyMetadata,
)
from vitra_policy.transforms import delta_wrist, invert_pose, make_pose, matrix_from_euler_xyz
from vitra_sim.grasp import CLEARANCE_M, SQUEEZE, Grasp, base_from_wrist, pinch_table, plan_grasp, posture
from vitra_sim.motion import Phase, Plan, Waypoint
from vitra_sim.scene import BOX_NAME
from vitra_sim.tasks import Task, get_task

Array = NDArray[np.float64]

STEP_S = 1 / 15

_HOVER_M = 0.10  # fingertips above the object's top before they go down
_LIFT_M = 0.15
_RIM_CLEARANCE_M = 0.035  # object above the rim while it is carried over it
_DROP_M = 0.012  # object above the box's floor when it is let go
_MOVED_M = 0.012  # an object that moves more than this before the grasp makes a new plan
_LAG_S = 0.12  # the arm follows its plan this much later: smoothing, servo, transport
_LEAD_S = 0.35  # the plan's clock runs at most this far ahead of the arm
_LOST_M = 0.08  # an arm that far off its path was moved by something else
_CARRIED_OFF_M = 0.25  # an object that jumps this far was put there by a reset


class ExpertPolicy:
    """Picks the task's object and puts it into the box, closed loop.

    A plan is a timed path from the measured wrist. Its clock is the observation time, so a late or dropped chunk
    changes nothing about where the hand should be; it waits for an arm that does not keep up (a stop, a fault), and
    a new plan is made when the arm was moved away, the object moved, or the grasp failed.

    Args:
        calibration: mounting of the robot.
        step_s: duration of one step of a chunk.
    """

    def __init__(self, calibration: Calibration, step_s: float = STEP_S) -> None:
        self._calibration = calibration
        extras = (BASE_FROM_CAMERA, SIM_TASK, SIM_OBJECT_NAMES, SIM_OBJECT_POSES, SIM_OBJECT_SIZES)
        self._metadata = PolicyMetadata(
            "expert", STEPS, step_s, needs_image=False, needs_state=True, needs_extras=extras
        )
        self.reset()

    @property
    def metadata(self) -> PolicyMetadata:
        """What it is and needs."""
        return self._metadata

    def warm_up(self) -> None:
        """Compute the grasp tables."""
        for side in SIDES:
            pinch_table(side)

    def reset(self) -> None:
        """Forget the plan."""
        self._plan: Plan | None = None
        self._plan_time_s = 0.0
        self._last_stamp_s = 0.0
        self._last_object_m = np.zeros(3)
        self._task_name = ""
        self._planned_for_m = np.zeros(3)

    def close(self) -> None:
        """Nothing to give back."""

    @property
    def phase(self) -> Phase | None:
        """What it is doing; None before the first observation."""
        return self._plan.phase(self._plan_time_s) if self._plan else None

    def infer(self, observation: Observation) -> ActionChunk:
        """The next steps of the plan, as deltas from the measured wrist.

        Raises:
            InvalidObservationError: state or ground truth is missing.
            PolicyError: the scene lacks the task's object or the box.
        """
        self._metadata.check(observation)
        scene = _Scene(observation, self._calibration)
        self._advance(observation, scene)
        if self._plan is None:
            self._plan, self._plan_time_s = _make_plan(scene, self._calibration), 0.0
            self._planned_for_m = scene.object_pose[:3, 3].copy()
        step_s = self._metadata.step_s
        poses, fingers = self._plan.at(self._plan_time_s + step_s * np.arange(1, STEPS + 1))
        camera_from_wrist = scene.camera_from_base @ np.concatenate([scene.wrist[None], poses])
        actions = np.zeros((STEPS, 2 * HAND_DIM))
        hand = actions[:, HAND[scene.side.value]]
        hand[:, WRIST] = delta_wrist(camera_from_wrist)
        hand[:, FINGERS] = mano_from_xhand(fingers)
        done = self._plan_time_s >= self._plan.duration_s
        return ActionChunk(actions, scene.acts, step_s, self._metadata.policy_id, done=done)

    def _advance(self, observation: Observation, scene: _Scene) -> None:
        """Run the plan's clock, or drop the plan."""
        elapsed_s = observation.stamp_s - self._last_stamp_s
        jump_m = float(np.linalg.norm(scene.object_pose[:3, 3] - self._last_object_m))
        restarted = elapsed_s < 0 or scene.task.name != self._task_name or jump_m > _CARRIED_OFF_M
        self._last_stamp_s, self._task_name = observation.stamp_s, scene.task.name
        self._last_object_m = scene.object_pose[:3, 3].copy()
        if self._plan is None:
            return
        wanted_s = self._plan_time_s + elapsed_s
        reached_s, distance_m = self._plan.progress(scene.wrist, wanted_s - _LAG_S)
        if restarted or distance_m > _LOST_M or self._must_replan(scene):
            self._plan = None
            return
        self._plan_time_s = float(np.clip(wanted_s, reached_s, min(reached_s + _LEAD_S, self._plan.duration_s)))

    def _must_replan(self, scene: _Scene) -> bool:
        assert self._plan is not None
        phase = self._plan.phase(self._plan_time_s)
        if phase in (Phase.APPROACH, Phase.DESCEND):
            return float(np.linalg.norm(scene.object_pose[:3, 3] - self._planned_for_m)) > _MOVED_M
        if phase is Phase.CARRY:
            return not scene.is_held
        finished = self._plan_time_s >= self._plan.duration_s
        return finished and not scene.is_in_box


class _Scene:
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
        hand = observation.state[HAND[self.side.value]]
        self.wrist = base_from_camera @ make_pose(hand[TRANSLATION], matrix_from_euler_xyz(hand[ROTATION]))
        self.fingers_rad = xhand_from_mano(hand[FINGERS])
        names = [str(name) for name in np.asarray(extras[SIM_OBJECT_NAMES])]
        for name in (self.task.target, BOX_NAME):
            if name not in names:
                raise PolicyError(f"The scene has no '{name}' (it has: {', '.join(names)}): reset it to this task.")
        poses, sizes = np.asarray(extras[SIM_OBJECT_POSES]), np.asarray(extras[SIM_OBJECT_SIZES])
        target, box = names.index(self.task.target), names.index(BOX_NAME)
        self.object_pose, self.object_half_m = poses[target], sizes[target]
        self.box_centre_m, self.box_half_m = poses[box][:3, 3], sizes[box]
        self.grasp: Grasp = plan_grasp(self.side, self.task.kind, self.object_pose, self.object_half_m)
        self._calibration = calibration

    def wrist_for(self, centre_m: Array, yaw_rad: float) -> Array:
        """Wrist pose that holds the object with its centre somewhere."""
        return base_from_wrist(self._calibration, self.grasp, centre_m, yaw_rad)

    @property
    def box_floor_m(self) -> float:
        """Height of the table under the box."""
        return float(self.box_centre_m[2] - self.box_half_m[2])

    @property
    def is_in_box(self) -> bool:
        """The object's centre is within the walls and low."""
        offset = self.object_pose[:3, 3] - self.box_centre_m
        return bool(np.all(np.abs(offset[:2]) < self.box_half_m[:2]) and offset[2] < 2 * self.object_half_m.max())

    @property
    def is_held(self) -> bool:
        """The object hangs in the hand: clear of the table and at the pads."""
        lowest = self.object_pose[2, 3] - self.object_half_m[2]
        pads = self.wrist_for(self.object_pose[:3, 3], 0.0)  # only the distance counts
        reach = float(np.linalg.norm(pads[:3, 3] - self.object_pose[:3, 3]))
        distance = float(np.linalg.norm(self.wrist[:3, 3] - self.object_pose[:3, 3]))
        return bool(lowest > self.box_floor_m + 0.03 and abs(distance - reach) < 0.04)


def _make_plan(scene: _Scene, calibration: Calibration) -> Plan:
    """The whole episode from the measured wrist on; where the object is held already, from the lift on."""
    centre, half = scene.object_pose[:3, 3], scene.object_half_m
    grasp, table = scene.grasp, pinch_table(scene.side)
    wide = posture(table.closure(grasp.width_m + CLEARANCE_M))
    firm = posture(grasp.closure + SQUEEZE)
    up = np.array([0.0, 0.0, 1.0])
    at_object = scene.wrist_for(centre, grasp.yaw_rad)
    hover_m = half[2] + _HOVER_M

    box_top_m = scene.box_floor_m + 2 * scene.box_half_m[2]
    over_box = np.array([*scene.box_centre_m[:2], box_top_m + _RIM_CLEARANCE_M + half[2]])
    in_box = np.array([*scene.box_centre_m[:2], scene.box_floor_m + 0.005 + _DROP_M + half[2]])
    lifted = max(centre[2] + _LIFT_M, over_box[2]) * up + centre * (1, 1, 0)

    take = [
        Waypoint(Phase.APPROACH, _raised(at_object, hover_m), wide, 1.0),
        Waypoint(Phase.DESCEND, at_object, wide, 0.8),
        Waypoint(Phase.GRASP, at_object, firm, 0.9),
    ]
    place = [
        Waypoint(Phase.LIFT, scene.wrist_for(lifted, grasp.yaw_rad), firm, 0.8),
        Waypoint(Phase.CARRY, scene.wrist_for(over_box, 0.0), firm, 1.0),
        Waypoint(Phase.LOWER, scene.wrist_for(in_box, 0.0), firm, 0.7),
        Waypoint(Phase.RELEASE, scene.wrist_for(in_box, 0.0), wide, 0.6),
        Waypoint(Phase.RETREAT, _raised(scene.wrist_for(in_box, 0.0), 2 * half[2] + 0.13), wide, 0.8),
    ]
    if scene.is_held:
        return Plan(scene.wrist, firm, place[1:])
    start = []
    if scene.wrist[2, 3] < take[0].pose[2, 3] - 0.03:  # low between the objects: first straight up
        start = [Waypoint(Phase.APPROACH, _raised(scene.wrist, take[0].pose[2, 3] - scene.wrist[2, 3]), wide, 0.6)]
    return Plan(scene.wrist, scene.fingers_rad, [*start, *take, *place])


def _raised(pose: Array, by_m: float) -> Array:
    higher = pose.copy()
    higher[2, 3] += by_m
    return higher


def make_expert_policy(calibration: str = "sim", step_s: str = str(STEP_S)) -> ExpertPolicy:
    """The expert by its options; entry point `expert` of `vitra_policy.policies`."""
    return ExpertPolicy(load_calibration(calibration_path(calibration)), float(step_s))
