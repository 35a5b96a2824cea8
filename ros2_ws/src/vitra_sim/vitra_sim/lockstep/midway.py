"""A scene with the hand somewhere along the expert's path: one look at the middle of an episode that nobody played.

Such looks cost as little as a reset, and show the arm before, beside and around the object in as many scenes as there
are looks. Nothing moves there and contacts do not count, so they teach seeing, and the way back to the path.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from vitra_description.ik import solve_ik
from vitra_description.kinematics import ArmModel
from vitra_policy.policies.policy import Observation
from vitra_policy.transforms import invert_pose
from vitra_sim.expert.expert import ExpertPolicy
from vitra_sim.expert.motion import Phase, Plan
from vitra_sim.expert.moves import postures
from vitra_sim.expert.plans import make_plan
from vitra_sim.expert.scene import Scene
from vitra_sim.lockstep.env import VitraSimEnv
from vitra_sim.lockstep.moved import moved_objects, target_pose
from vitra_sim.scene.objects import VESSELS
from vitra_sim.scene.table import TABLE_HEIGHT_M
from vitra_sim.tasks.tasks import Goal

Array = NDArray[np.float64]

_OFF_M: Mapping[Phase, float] = {Phase.APPROACH: 0.020, Phase.DESCEND: 0.008, Phase.GRASP: 0.003}
_OFF_HELD_M = 0.006
_OFF_RELEASED_M: Mapping[Phase, float] = {Phase.RELEASE: 0.003, Phase.RETREAT: 0.008}
_TURN_RAD_PER_M = 4.0
_FREE_HAND = (Phase.APPROACH, Phase.DESCEND, Phase.RETREAT)
_GIVE, _GIVE_VESSEL = 0.12, 0.03  # closure beyond touch of fingers that close further, as measured: they are held up
_AFTER_POURING = (Phase.RETURN,)
_SHARE_AFTER_POURING = 0.4  # it takes half of the plan's time, and the judge is satisfied before
_TRIES = 20
_IK_EVERY_S = 1.0


def start_midway(env: VitraSimEnv, expert: ExpertPolicy, rng: np.random.Generator) -> Observation:
    """Put the hand, and what it has moved by then, somewhere along the way; the expert goes on from there.

    Nothing is let go into the box here: episodes show that, since they end only after it.

    Args:
        env: just reset.
        expert: will answer the observation.
        rng: where randomness comes from.

    Returns:
        What a policy sees there.
    """
    before = env.observe()
    scene = Scene(before, env.calibration)
    plan = make_plan(scene)
    for _ in range(_TRIES):
        time_s = float(rng.uniform(0.0, plan.duration_s))
        phase = plan.phase(time_s)
        if phase in _OFF_RELEASED_M and scene.task.goal is Goal.IN_BOX:
            continue
        if phase in _AFTER_POURING and rng.uniform() > _SHARE_AFTER_POURING:
            continue
        poses, fingers = plan.at(np.array([time_s]))
        off_m = _OFF_M.get(phase, _OFF_RELEASED_M.get(phase, _OFF_HELD_M))
        wrist = _above_table(_beside(poses[0], off_m, rng), scene, plan, time_s)
        arm_rad = _follow(env, scene, plan, time_s, wrist)
        if arm_rad is None:
            continue
        moved = moved_objects(env.world, scene, plan, time_s, target_pose(scene, plan, time_s, wrist), rng)
        env.world.put(scene.side, arm_rad, _yielding(scene, phase, fingers[0]), moved)
        env.world.set_hand_target(scene.side, fingers[0])
        observation = env.observe()
        expert.go_on(plan, time_s, Scene(observation, env.calibration), observation.stamp_s)
        return observation
    return before


def _beside(pose: Array, off_m: float, rng: np.random.Generator) -> Array:
    near = pose.copy()
    near[:3, 3] += rng.normal(0, off_m, 3)
    near[:3, :3] = Rotation.from_rotvec(rng.normal(0, _TURN_RAD_PER_M * off_m, 3)).as_matrix() @ pose[:3, :3]
    return near


def _above_table(wrist: Array, scene: Scene, plan: Plan, time_s: float) -> Array:
    """The wrist raised until what it holds is not in the table."""
    held = target_pose(scene, plan, time_s, wrist)
    if held is None:
        return wrist
    lowest_m = float(held[2, 3] - np.abs(held[2, :3]) @ scene.object_half_m)
    higher = wrist.copy()
    higher[2, 3] += max(TABLE_HEIGHT_M - lowest_m, 0.0)
    return higher


def _yielding(scene: Scene, phase: Phase, fingers_rad: Array) -> Array:
    """Hand joints (dof,) of a hand that closes on the object: no further than it lets them."""
    if phase in _FREE_HAND:
        return fingers_rad
    wide, _ = postures(scene)
    give = _GIVE_VESSEL if scene.task.kind in VESSELS else _GIVE
    touching = scene.grasp.posture(scene.grasp.closure + give)
    is_beyond = np.linalg.norm(fingers_rad - wide) > np.linalg.norm(touching - wide)
    return touching if is_beyond else fingers_rad


def _follow(env: VitraSimEnv, scene: Scene, plan: Plan, time_s: float, wrist: Array) -> Array | None:
    """Arm joints (7,) at a wrist pose, by way of the plan: the elbow is where it would be; None: out of reach."""
    arm = ArmModel("6f", env.calibration.side(scene.side))
    arm_base_from_base = invert_pose(
        env.calibration.base_from_head_camera @ env.calibration.head_camera_from_arm_base(scene.side)
    )
    way, _ = plan.at(np.arange(_IK_EVERY_S, time_s, _IK_EVERY_S))
    arm_rad = env.world.arm_q(scene.side)
    for pose in [*way, wrist]:
        found = solve_ik(arm, arm_base_from_base @ pose, arm_rad)
        if not found.converged:
            return None
        arm_rad = found.position_rad
    return arm_rad
