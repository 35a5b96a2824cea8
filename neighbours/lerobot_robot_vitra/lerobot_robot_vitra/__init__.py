"""The simulated robot as a LeRobot robot plugin (`--robot.type=vitra_sim`): for lerobot-rollout and lerobot-record."""

from lerobot_robot_vitra.config_vitra_sim import VitraSimConfig
from lerobot_robot_vitra.vitra_sim import VitraSim

__all__ = ["VitraSim", "VitraSimConfig"]
