"""The simulated robot behind LeRobot's robot interface: each action moves it a thirtieth of a second."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from lerobot.robots.robot import Robot
from lerobot_env_vitra.environment import HEIGHT_PX, WIDTH_PX, JointEnv

from lerobot_robot_vitra.config_vitra_sim import VitraSimConfig
from vitra_description.names import SIDES, arm_joints, hand_joints

_log = logging.getLogger(__name__)

CAMERA = "head_camera"
POSITIONS = tuple(f"{joint}.pos" for side in SIDES for joint in (*arm_joints(side), *hand_joints(side)))
"""Left arm (7) and hand (12), then the right ones: the 38 numbers of our LeRobot data sets."""


class VitraSim(Robot):  # type: ignore[misc]  # lerobot is not installed where this is checked
    """Joint targets in, joints and picture out; simulated time goes on with actions only.

    Args:
        config: Which scene.
    """

    config_class = VitraSimConfig
    name = "vitra_sim"

    def __init__(self, config: VitraSimConfig) -> None:
        self._env: JointEnv | None = None
        super().__init__(config)
        self._config = config
        self._seen: dict[str, Any] = {}
        self._steps, self._done_at = 0, 0

    @property
    def observation_features(self) -> dict[str, Any]:
        """38 joint positions [rad] and the head camera's picture (height, width, 3)."""
        return {**dict.fromkeys(POSITIONS, float), CAMERA: (HEIGHT_PX, WIDTH_PX, 3)}

    @property
    def action_features(self) -> dict[str, Any]:
        """38 joint targets [rad]."""
        return dict.fromkeys(POSITIONS, float)

    @property
    def is_connected(self) -> bool:
        """Whether the simulation runs."""
        return self._env is not None

    @property
    def is_calibrated(self) -> bool:
        """Nothing is to be calibrated."""
        return True

    @property
    def success(self) -> bool:
        """Whether the task has been done since `connect`."""
        return self._done_at > 0

    def connect(self, calibrate: bool = True) -> None:
        """Start the simulation of the configured scene."""
        self._env = JointEnv(self._config.scene)
        self._seen, _ = self._env.reset(seed=self._config.seed)
        self._steps = self._done_at = 0
        _log.info("simulated robot in '%s': %s", self._config.scene, self._env.task)

    def calibrate(self) -> None:
        """Nothing to do."""

    def configure(self) -> None:
        """Nothing to do."""

    def get_observation(self) -> dict[str, Any]:
        """Joints and picture after the action before.

        Raises:
            ConnectionError: `connect` was not called.
        """
        self._running()
        joints = (float(q) for q in self._seen["agent_pos"])
        return {**dict(zip(POSITIONS, joints, strict=True)), CAMERA: self._seen["pixels"][CAMERA]}

    def send_action(self, action: dict[str, Any]) -> dict[str, Any]:
        """Move towards joint targets for a thirtieth of a second, within the limits of arms and hands.

        Args:
            action: All 38 targets [rad]; one that is missing stays where it is measured.

        Raises:
            ConnectionError: `connect` was not called.
            ValueError: a name that is no joint, or a number that is not finite.
        """
        env = self._running()
        if unknown := sorted(set(action) - set(POSITIONS)):
            raise ValueError(f"{', '.join(unknown)}: no joint of this robot; it has {POSITIONS[0]} to {POSITIONS[-1]}.")
        measured = dict(zip(POSITIONS, (float(q) for q in self._seen["agent_pos"]), strict=True))
        wanted = np.array([float(action.get(name, measured[name])) for name in POSITIONS])
        self._seen, _, _, _, info = env.step(wanted)
        self._steps += 1
        if info["is_success"] and not self._done_at:
            self._done_at = self._steps
            _log.info("the task is done after %.1f s of simulated time", self._steps / env.metadata["render_fps"])
        return dict(zip(POSITIONS, wanted.tolist(), strict=True))

    def disconnect(self) -> None:
        """End the simulation and say whether the task was done."""
        env, self._env = self._env, None
        if env is None:
            return
        _log.info(
            "%d actions, %.1f s of simulated time; the task was %s",
            self._steps, self._steps / env.metadata["render_fps"], "done" if self.success else "not done",
        )  # fmt: skip
        env.close()

    def _running(self) -> JointEnv:
        if self._env is None:
            raise ConnectionError("The simulated robot is not connected; call connect() first.")
        return self._env
