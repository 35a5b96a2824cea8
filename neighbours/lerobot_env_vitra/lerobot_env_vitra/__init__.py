"""The simulated robot as a LeRobot environment plugin (`--env.type=vitra`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.envs.configs import EnvConfig

gym.register("gym_vitra/sim", entry_point="lerobot_env_vitra.environment:JointEnv")


@EnvConfig.register_subclass("vitra")
@dataclass
class VitraEnv(EnvConfig):
    """38 joint targets at 30 Hz, head camera and joints."""

    task: str | None = "sim"
    fps: int = 30
    scene: str = "place_cube_in_box"
    """Task of the simulator."""
    time_limit_s: float = 20.0
    features: dict[str, PolicyFeature] = field(
        default_factory=lambda: {
            "action": PolicyFeature(type=FeatureType.ACTION, shape=(38,)),
            "agent_pos": PolicyFeature(type=FeatureType.STATE, shape=(38,)),
            "pixels/head_camera": PolicyFeature(type=FeatureType.VISUAL, shape=(240, 424, 3)),
        }
    )
    features_map: dict[str, str] = field(
        default_factory=lambda: {
            "action": "action",
            "agent_pos": "observation.state",
            "pixels/head_camera": "observation.images.head_camera",
        }
    )

    @property
    def package_name(self) -> str:
        """Where the environment registers itself."""
        return "gym_vitra"

    @property
    def gym_kwargs(self) -> dict[str, Any]:
        """Arguments of `JointEnv`."""
        return {"scene": self.scene, "time_limit_s": self.time_limit_s}
