"""Lockstep environment in gymnasium's manner: chunks in, observations out, no clock but the simulated one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import Calibration, default_calibration
from vitra_description.ik import DifferentialIk, IkSettings
from vitra_description.kinematics import ArmModel
from vitra_description.limits import ARM_TELEOP_LIMITS, HAND_LIMITS
from vitra_description.names import SIDES, Side
from vitra_description.postures import home
from vitra_policy.action_space import FINGERS, HAND, ROTATION, TRANSLATION, WRIST, join_hands
from vitra_policy.hand.xhand_map import xhand_from_mano
from vitra_policy.inference.observation import hand_vector
from vitra_policy.inference.policy import ActionChunk, Observation
from vitra_policy.transforms import integrate_wrist, interpolate_pose, invert_pose, make_pose, matrix_from_euler_xyz
from vitra_sim.camera import HeadCamera, scaled_intrinsics
from vitra_sim.ground_truth import ground_truth_extras
from vitra_sim.scene import TICK_S
from vitra_sim.tasks import DEFAULT_TASK
from vitra_sim.world import World

Array = NDArray[np.float64]


class VitraSimEnv:
    """One robot and one task in lockstep: `reset`, then `step(chunk)` until terminated or truncated.

    A step executes the leading part of a chunk exactly as the robot does: deltas are integrated from the observed
    wrist, moved from camera to arm base, followed by differential IK at 200 Hz, and given to the joint drives.

    Args:
        task: name of a task.
        executed_steps: leading steps of a chunk that are executed before the next observation.
        image_size: (width, height) of the rendered head camera image; None leaves images out.
        time_limit_s: simulated time after which an episode is truncated.
        calibration: mounting of the robot; None takes the simulator's.
    """

    def __init__(
        self,
        task: str = DEFAULT_TASK,
        executed_steps: int = 4,
        image_size: tuple[int, int] | None = None,
        time_limit_s: float = 30.0,
        calibration: Calibration | None = None,
    ) -> None:
        self.calibration = calibration or default_calibration()
        self.world = World(task, 0, self.calibration)
        self._executed_steps, self._time_limit_s = executed_steps, time_limit_s
        self._intrinsics = scaled_intrinsics(self.calibration.head_camera, *(image_size or (424, 240)))
        self._camera = HeadCamera(self._intrinsics) if image_size else None
        self._arms = {side: ArmModel("6f", self.calibration.side(side)) for side in SIDES}
        settings = IkSettings(period_s=TICK_S)
        self._ik = {side: DifferentialIk(self._arms[side], home(side), ARM_TELEOP_LIMITS, settings) for side in SIDES}
        self._arm_base_from_camera = {
            side: invert_pose(self.calibration.head_camera_from_arm_base(side)) for side in SIDES
        }

    def reset(self, *, seed: int = 0, options: Mapping[str, str] | None = None) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; `options={"task": name}` changes the task.

        Raises:
            UnknownNameError: no such task.
        """
        self.world.reset((options or {}).get("task"), seed)
        if self._camera:
            self._camera.load(self.world.model)
        return self.observe(), {"task": self.world.task.name, "seed": seed}

    def observe(self) -> Observation:
        """What a policy sees now; ground truth included."""
        world, camera = self.world, self._intrinsics
        vectors = {}
        for side in SIDES:
            arm_base_from_wrist = self._arms[side].wrist_pose(world.arm_q(side))
            camera_from_wrist = invert_pose(self._arm_base_from_camera[side]) @ arm_base_from_wrist
            vectors[side] = hand_vector(camera_from_wrist, world.hand_q(side))
        return Observation(
            stamp_s=world.time_s,
            instruction=world.task.instruction,
            image=self._camera.render(world.data).colour if self._camera else None,
            intrinsics=camera.matrix,
            fov_rad=2 * np.arctan2([camera.width_px / 2, camera.height_px / 2], [camera.fx_px, camera.fy_px]),
            state=join_hands(vectors[Side.LEFT], vectors[Side.RIGHT]),
            state_valid=np.array([True, True]),
            hands=np.array([side is world.task.side for side in SIDES]),
            extras=ground_truth_extras(world, self.calibration),
        )

    def step(self, chunk: ActionChunk) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Execute the leading steps of a chunk that answers the last observation.

        Returns:
            observation, reward (1 on success), terminated, truncated, info with `success`, `failed`, `reason`.
        """
        steps = min(self._executed_steps, chunk.steps)
        ticks = round(steps * chunk.step_s / TICK_S)
        fraction = (np.arange(ticks) + 1) * TICK_S / chunk.step_s
        row = np.minimum(fraction.astype(int), chunk.steps - 1)
        moves = {
            side: self._targets(side, chunk, row, fraction - row)
            for side, valid in zip(SIDES, chunk.valid, strict=True)
            if valid
        }
        for tick in range(ticks):
            for side, (poses, fingers) in moves.items():
                q = self._ik[side].step(self.world.arm(side).target(self.world.data), poses[tick]).position_rad
                self.world.set_arm_target(side, q)
                self.world.set_hand_target(side, fingers[tick])
            self.world.step()
        verdict = self.world.verdict()
        info = {"success": verdict.success, "failed": verdict.failed, "reason": verdict.reason}
        truncated = self.world.time_s >= self._time_limit_s
        return self.observe(), float(verdict.success), verdict.success or verdict.failed, truncated, info

    def close(self) -> None:
        """Free the renderer."""
        if self._camera:
            self._camera.close()

    def _targets(self, side: Side, chunk: ActionChunk, row: Array, within: Array) -> tuple[Array, Array]:
        """Wrist targets (ticks, 4, 4) in the arm base and hand joints (ticks, 12) of every control tick."""
        actions = np.asarray(chunk.actions[:, HAND[side.value]], dtype=np.float64)
        observed = hand_vector(
            invert_pose(self._arm_base_from_camera[side]) @ self._arms[side].wrist_pose(self.world.arm_q(side)),
            self.world.hand_q(side),
        )
        start = make_pose(observed[TRANSLATION], matrix_from_euler_xyz(observed[ROTATION]))
        poses = np.concatenate([start[None], integrate_wrist(start, actions[:, WRIST])])
        poses = self._arm_base_from_camera[side] @ poses
        fingers = HAND_LIMITS.clip(xhand_from_mano(np.concatenate([observed[None, FINGERS], actions[:, FINGERS]])))
        blended = fingers[row] + (fingers[row + 1] - fingers[row]) * within[:, None]
        return interpolate_pose(poses[row], poses[row + 1], within), blended
