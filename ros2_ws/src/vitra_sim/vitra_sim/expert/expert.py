"""A scripted expert that knows where the objects are and speaks the policy's language: 102-d camera-frame chunks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from vitra_description.calibration import Calibration, calibration_path, load_calibration
from vitra_policy.action_space import FINGERS, HAND, HAND_DIM, SIDES, STEPS, WRIST
from vitra_policy.policies.policy import (
    BASE_FROM_CAMERA,
    SIM_OBJECT_NAMES,
    SIM_OBJECT_POSES,
    SIM_OBJECT_SIZES,
    SIM_TASK,
    ActionChunk,
    Observation,
    PolicyMetadata,
)
from vitra_policy.policies.registry import PolicyOptionError
from vitra_policy.transforms import delta_wrist
from vitra_sim.expert.grasp import pinch_table
from vitra_sim.expert.motion import Phase, Plan
from vitra_sim.expert.plans import make_plan
from vitra_sim.expert.scene import Scene

Array = NDArray[np.float64]

STEP_S = 1 / 15

_MOVED_M = 0.012  # an object that moves more than this before the grasp makes a new plan
_LAG_S = 0.06  # a measured arm follows its plan this much later: its servo
_LEAD_S = 0.15  # the plan's clock runs at most this far ahead of the arm: it waits for one that limits hold back
_LOST_M = 0.08  # an arm that far off its path was moved by something else
_SLOWEST_RETURN_S = 60.0
_CARRIED_OFF_M = 0.25  # an object that jumps this far was put there by a reset


class ExpertPolicy:
    """Does every task of the simulator, closed loop.

    A plan is a timed path from the measured wrist. Its clock is the observation time, so a late or dropped chunk
    changes nothing about where the hand should be; it waits for an arm that does not keep up (a stop, a fault), and
    a new plan is made when the arm was moved away, the object moved, or the grasp failed.

    Args:
        calibration: mounting of the robot.
        step_s: duration of one step of a chunk.
        return_s: time constant in which a hand off its path comes back to it; 0 goes there at once. Demonstrations
            for learning need it: what a policy is to imitate must be smooth from wherever it may find itself.
    """

    def __init__(self, calibration: Calibration, step_s: float = STEP_S, return_s: float = 0.0) -> None:
        self._calibration, self._return_s = calibration, return_s
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
            pinch_table(side, self._calibration.hand)

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
            PolicyError: the scene lacks the task's object or the box, or the instruction is for the other hand.
        """
        self._metadata.check(observation)
        scene = Scene(observation, self._calibration)
        self._advance(observation, scene)
        if self._plan is None:
            self._plan, self._plan_time_s = make_plan(scene), 0.0
            self._planned_for_m = scene.object_pose[:3, 3].copy()
        step_s = self._metadata.step_s
        ages_s = step_s * np.arange(1, STEPS + 1, dtype=np.float64)
        poses, fingers = self._plan.at(self._plan_time_s + ages_s)
        if self._return_s > 0:
            poses = returning(
                poses, scene.wrist, self._plan.at(np.array([self._plan_time_s]))[0][0], ages_s, self._return_s
            )
        camera_from_wrist = scene.camera_from_base @ np.concatenate([scene.wrist[None], poses])
        actions = np.zeros((STEPS, 2 * HAND_DIM))
        hand = actions[:, HAND[scene.side]]
        hand[:, WRIST] = delta_wrist(camera_from_wrist)
        hand[:, FINGERS] = self._calibration.hand.map.fingers_from_joints(fingers)
        done = self._plan_time_s >= self._plan.duration_s
        return ActionChunk(actions, scene.acts, step_s, self._metadata.policy_id, done=done)

    def go_on(self, plan: Plan, time_s: float, scene: Scene, stamp_s: float) -> None:
        """Take over a plan at some time of it, for a scene that was seen at a stamp.

        Args:
            plan: The plan.
            time_s: How far it is.
            scene: What was seen.
            stamp_s: When, ROS time.
        """
        self._plan, self._plan_time_s, self._last_stamp_s = plan, time_s, stamp_s
        self._task_name, self._last_object_m = scene.task.name, scene.object_pose[:3, 3].copy()
        self._planned_for_m = self._last_object_m

    def _advance(self, observation: Observation, scene: Scene) -> None:
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

    def _must_replan(self, scene: Scene) -> bool:
        assert self._plan is not None
        phase = self._plan.phase(self._plan_time_s)
        if phase in (Phase.APPROACH, Phase.DESCEND):
            return float(np.linalg.norm(scene.object_pose[:3, 3] - self._planned_for_m)) > _MOVED_M
        if phase is Phase.CARRY:
            return not scene.is_held
        if phase is Phase.SWEEP:
            return len(scene.pieces_behind_m) > 0 or (scene.is_gripped and not scene.is_upright)
        finished = self._plan_time_s >= self._plan.duration_s
        return finished and not scene.is_done and scene.is_upright


def returning(path: Array, wrist: Array, wanted: Array, ages_s: Array, return_s: float) -> Array:
    """A path that starts at the wrist and comes back to the planned one exponentially.

    Args:
        path: (n, 4, 4) planned wrist poses.
        wrist: (4, 4) where the wrist is.
        wanted: (4, 4) where the plan has it at the same moment.
        ages_s: (n,) times of the path from that moment on.
        return_s: time constant.
    """
    left = np.exp(-ages_s / return_s)
    turn = Rotation.from_matrix(wrist[:3, :3] @ wanted[:3, :3].T).as_rotvec()
    back = path.copy()
    back[:, :3, 3] += left[:, None] * (wrist[:3, 3] - wanted[:3, 3])
    back[:, :3, :3] = Rotation.from_rotvec(left[:, None] * turn).as_matrix() @ path[:, :3, :3]
    return back


def make_expert_policy(calibration: str = "sim", step_s: str = str(STEP_S), return_s: str = "0") -> ExpertPolicy:
    """The expert by its options; entry point `expert` of `vitra_policy.policies`.

    Args:
        calibration: Name or path.
        step_s: Duration of a chunk's step, seconds, as text.
        return_s: Time constant in which a hand off its path comes back to it, seconds, as text; 0: at once.

    Raises:
        PolicyOptionError: times with which nothing could be done.
    """
    step, back = float(step_s), float(return_s)
    if not 1 / 200 <= step <= 1:
        raise PolicyOptionError(f"Policy 'expert': a step takes {step_s} s; allowed are 1 to 200 steps per second.")
    if not 0 <= back <= _SLOWEST_RETURN_S:
        raise PolicyOptionError(f"Policy 'expert': return_s is {return_s}; allowed are 0 to {_SLOWEST_RETURN_S:g} s.")
    return ExpertPolicy(load_calibration(calibration_path(calibration)), step, back)
