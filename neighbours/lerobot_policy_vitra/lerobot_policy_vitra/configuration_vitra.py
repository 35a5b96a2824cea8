"""Configuration: which policy of the stack, with which options, in which terms of a LeRobot data set."""

from __future__ import annotations

from dataclasses import dataclass, field

from lerobot.configs import PreTrainedConfig
from lerobot.configs.types import NormalizationMode


@PreTrainedConfig.register_subclass("vitra")
@dataclass
class VitraConfig(PreTrainedConfig):
    """A policy by the stack's own name; it is trained by `vitra-train`, not by lerobot."""

    policy: str = "vitra"
    """Name in the stack's registry."""
    options: str = ""
    """Its options, key=value,key=value, e.g. checkpoint=/path/to/checkpoint."""
    mapping: str = "lerobot-right"
    """Terms of state and action: lerobot-right, lerobot-both, or a mapping file."""
    calibration: str = "sim"
    """The robot's calibration."""
    n_action_steps: int = 8
    """Steps of a chunk that are taken before the next observation is looked at."""
    normalization_mapping: dict[str, NormalizationMode] = field(
        default_factory=lambda: dict.fromkeys(("VISUAL", "STATE", "ACTION"), NormalizationMode.IDENTITY)
    )

    @property
    def observation_delta_indices(self) -> None:
        """One image, one state."""
        return

    @property
    def action_delta_indices(self) -> list[int]:
        """A chunk of 16."""
        return list(range(16))

    @property
    def reward_delta_indices(self) -> None:
        """None."""
        return

    def validate_features(self) -> None:
        """The mapping says what is needed; what is missing is named at the first observation."""

    def get_optimizer_preset(self) -> None:
        """Trained elsewhere."""
        raise NotImplementedError("Policies of the VITRA stack are trained by vitra-train.")

    def get_scheduler_preset(self) -> None:
        """Trained elsewhere."""
        return
