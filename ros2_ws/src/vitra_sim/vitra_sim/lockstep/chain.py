"""From a chunk of policy actions to arm and hand targets at every control tick: the robot's chain, without ROS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import Calibration
from vitra_description.ik import DifferentialIk, IkSettings
from vitra_description.kinematics import ArmModel
from vitra_description.limits import ARM_TELEOP_LIMITS, HAND_LIMITS
from vitra_description.names import SIDES, Side
from vitra_description.postures import home
from vitra_policy.action_space import FINGERS, HAND, ROTATION, TRANSLATION, WRIST
from vitra_policy.hand.xhand_map import xhand_from_mano
from vitra_policy.policies.observation import hand_vector
from vitra_policy.policies.policy import ActionChunk
from vitra_policy.transforms import integrate_wrist, interpolate_pose, invert_pose, make_pose, matrix_from_euler_xyz
from vitra_sim.scene.scene import TICK_S
from vitra_sim.scene.world import World

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Motion:
    """Targets of one arm and hand at every tick after an observation.

    Attributes:
        wrist: (n, 4, 4) `arm_base_from_hand_mount`.
        fingers_rad: (n, 12) hand joints.
    """

    wrist: Array
    fingers_rad: Array


class RobotChain:
    """Hand state out of joints, joint targets out of chunks, for both arms.

    Args:
        calibration: mounting of the robot.
    """

    def __init__(self, calibration: Calibration) -> None:
        settings = IkSettings(period_s=TICK_S)
        self._arms = {side: ArmModel("6f", calibration.side(side)) for side in SIDES}
        self._ik = {side: DifferentialIk(self._arms[side], home(side), ARM_TELEOP_LIMITS, settings) for side in SIDES}
        self._camera_from_arm_base = {side: calibration.head_camera_from_arm_base(side) for side in SIDES}
        self._arm_base_from_camera = {side: invert_pose(pose) for side, pose in self._camera_from_arm_base.items()}

    def hand_state(self, side: Side, arm_q_rad: Array, hand_q_rad: Array) -> Array:
        """State (51,) of a hand in the camera frame."""
        return hand_vector(self._camera_from_arm_base[side] @ self._arms[side].wrist_pose(arm_q_rad), hand_q_rad)

    def motion(self, side: Side, chunk: ActionChunk, observed: Array) -> Motion:
        """Targets at every tick of a chunk that answers an observation.

        Args:
            side: which hand.
            chunk: the chunk.
            observed: (51,) state of the hand at the observation.
        """
        fraction = (np.arange(round(chunk.steps * chunk.step_s / TICK_S)) + 1) * TICK_S / chunk.step_s
        row = np.minimum(fraction.astype(int), chunk.steps - 1)
        within = np.minimum(fraction - row, 1.0)
        actions = np.asarray(chunk.actions[:, HAND[side.value]], dtype=np.float64)
        start = make_pose(observed[TRANSLATION], matrix_from_euler_xyz(observed[ROTATION]))
        camera_from_wrist = np.concatenate([start[None], integrate_wrist(start, actions[:, WRIST])])
        wrist = self._arm_base_from_camera[side] @ camera_from_wrist
        fingers = HAND_LIMITS.clip(xhand_from_mano(np.concatenate([observed[None, FINGERS], actions[:, FINGERS]])))
        fingers = fingers[row] + (fingers[row + 1] - fingers[row]) * within[:, None]
        return Motion(interpolate_pose(wrist[row], wrist[row + 1], within), fingers)

    def apply(self, world: World, side: Side, motion: Motion, tick: int) -> None:
        """Give the drives the targets of one tick; beyond the end of the motion they hold."""
        if tick < len(motion.wrist):
            q = self._ik[side].step(world.arm(side).target(world.data), motion.wrist[tick]).position_rad
            world.set_arm_target(side, q)
            world.set_hand_target(side, motion.fingers_rad[tick])
