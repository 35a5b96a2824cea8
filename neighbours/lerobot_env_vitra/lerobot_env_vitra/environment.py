"""One robot in lockstep simulation, driven by joint targets; nothing of ROS."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from vitra_description.calibration import default_calibration
from vitra_description.limits import ARM_LIMITS, HAND_LIMITS
from vitra_policy.action_space import SIDES
from vitra_sim.scene.camera import HeadCamera, scaled_intrinsics
from vitra_sim.scene.scene import TICK_S
from vitra_sim.scene.world import World

WIDTH_PX, HEIGHT_PX, FPS = 424, 240, 30
_NUMBERS = 38


class JointEnv(gym.Env[dict[str, Any], np.ndarray]):
    """State and action: left arm (7), left hand (12), right arm, right hand, radians; limits are kept, as by a driver.

    Args:
        scene: Task of the simulator.
        time_limit_s: Simulated time after which an episode is cut.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": FPS}  # noqa: RUF012

    def __init__(
        self, scene: str = "place_cube_in_box", time_limit_s: float = 20.0, render_mode: str = "rgb_array"
    ) -> None:
        self._calibration = default_calibration()
        self._scene, self._time_limit_s, self.render_mode = scene, time_limit_s, render_mode
        self._world = World(scene, 0, self._calibration)
        self._camera = HeadCamera(scaled_intrinsics(self._calibration.head_camera, WIDTH_PX, HEIGHT_PX))
        self._max_episode_steps = round(time_limit_s * FPS)
        box = gym.spaces.Box(-7.0, 7.0, (_NUMBERS,), np.float32)
        image = gym.spaces.Box(0, 255, (HEIGHT_PX, WIDTH_PX, 3), np.uint8)
        self.action_space = box
        self.observation_space = gym.spaces.Dict({"pixels": gym.spaces.Dict({"head_camera": image}), "agent_pos": box})
        self._target = np.zeros(_NUMBERS)

    @property
    def task(self) -> str:
        """What the policy is told."""
        return str(self._world.task.instruction)

    task_description = task

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start an episode."""
        super().reset(seed=seed)
        self._world.reset(self._scene, 0 if seed is None else int(seed))
        self._camera.load(self._world.model)
        self._target = self._joints()
        return self._observe(), {"is_success": False}

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """A thirtieth of a second towards joint targets."""
        wanted = np.asarray(action, dtype=np.float64)
        if not np.isfinite(wanted).all():
            raise ValueError("The action has numbers that are not finite.")
        ticks = round(1 / FPS / TICK_S)
        for _ in range(ticks):
            self._approach(wanted)
            self._world.step()
        verdict = self._world.verdict()
        info = {"is_success": bool(verdict.success), "task": self.task}
        cut = self._world.time_s >= self._time_limit_s
        return self._observe(), float(verdict.success), bool(verdict.success or verdict.failed), bool(cut), info

    def render(self) -> np.ndarray:
        """What the head camera sees."""
        return np.array(self._camera.render(self._world.data).colour)

    def close(self) -> None:
        """Free the renderer."""
        self._camera.close()

    def _approach(self, wanted: np.ndarray) -> None:
        for n, side in enumerate(SIDES):
            for begin, limits, command in (
                (19 * n, ARM_LIMITS, self._world.set_arm_target),
                (19 * n + 7, HAND_LIMITS, self._world.set_hand_target),
            ):
                part = slice(begin, begin + limits.dof)
                most = limits.velocity_rad_s * TICK_S
                step = np.clip(limits.clip(wanted[part]) - self._target[part], -most, most)
                self._target[part] += step
                command(side, self._target[part])

    def _joints(self) -> np.ndarray:
        parts = [q for side in SIDES for q in (self._world.arm_q(side), self._world.hand_q(side))]
        return np.concatenate(parts)

    def _observe(self) -> dict[str, Any]:
        return {"pixels": {"head_camera": self.render()}, "agent_pos": self._joints().astype(np.float32)}
