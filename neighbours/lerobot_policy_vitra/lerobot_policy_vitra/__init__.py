"""Policies of the VITRA stack as a LeRobot policy plugin (`--policy.type=vitra`)."""

from lerobot_policy_vitra.configuration_vitra import VitraConfig
from lerobot_policy_vitra.modeling_vitra import VitraPolicy
from lerobot_policy_vitra.processor_vitra import make_vitra_pre_post_processors

__all__ = ["VitraConfig", "VitraPolicy", "make_vitra_pre_post_processors"]
