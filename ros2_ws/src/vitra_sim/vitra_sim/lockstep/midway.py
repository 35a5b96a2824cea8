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
from vitra_sim.expert.motion import Phase
from vitra_sim.expert.plans import make_plan
from vitra_sim.expert.scene import Scene
from vitra_sim.lockstep.env import VitraSimEnv

Array = NDArray[np.float64]

_OFF_M: Mapping[Phase, float] = {Phase.APPROACH: 0.020, Phase.DESCEND: 0.008, Phase.GRASP: 0.003}
_OFF_HELD_M = 0.006
_TURN_RAD_PER_M = 4.0
_HELD = (Phase.LIFT, Phase.CARRY, Phase.LOWER)
_LAST = (Phase.RELEASE, Phase.RETREAT)
_TRIES = 20


def start_midway(env: VitraSimEnv, expert: ExpertPolicy, rng: np.random.Generator) -> Observation:
    """Put the hand, and what it holds by then, somewhere along the way; the expert goes on from there.

    Args:
        env: just reset to a task that puts something into the box.
        expert: will answer the observation.
        rng: where randomness comes from.

    Returns:
        What a policy sees there.
    """
    before = env.observe()
    scene = Scene(before, env.calibration)
    plan = make_plan(scene)
    arm = ArmModel("6f", env.calibration.side(scene.side))
    arm_base_from_base = invert_pose(
        env.calibration.base_from_head_camera @ env.calibration.head_camera_from_arm_base(scene.side)
    )
    at_object = scene.wrist_for(scene.object_pose[:3, 3], scene.grasp.yaw_rad)
    for _ in range(_TRIES):
        time_s = float(rng.uniform(0.0, plan.duration_s))
        phase = plan.phase(time_s)
        if phase in _LAST:
            continue
        poses, fingers = plan.at(np.array([time_s]))
        wrist = _beside(poses[0], _OFF_M.get(phase, _OFF_HELD_M), rng)
        found = solve_ik(arm, arm_base_from_base @ wrist, env.world.arm_q(scene.side))
        if not found.converged:
            continue
        held = {scene.task.target: wrist @ invert_pose(at_object) @ scene.object_pose} if phase in _HELD else {}
        env.world.put(scene.side, found.position_rad, fingers[0], held)
        observation = env.observe()
        expert.go_on(plan, time_s, Scene(observation, env.calibration), observation.stamp_s)
        return observation
    return before


def _beside(pose: Array, off_m: float, rng: np.random.Generator) -> Array:
    near = pose.copy()
    near[:3, 3] += rng.normal(0, off_m, 3)
    near[:3, :3] = Rotation.from_rotvec(rng.normal(0, _TURN_RAD_PER_M * off_m, 3)).as_matrix() @ pose[:3, :3]
    return near
