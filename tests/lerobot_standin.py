"""What our LeRobot plugins use of `lerobot` and `gymnasium`, by the same names, for machines without them.

Only interfaces: registration by name, what a policy, a robot, an environment and a processor must offer. The genuine
package is used by `requirements/run-lerobot.sh`.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import torch


class FeatureType(enum.Enum):
    STATE, VISUAL, ACTION = "STATE", "VISUAL", "ACTION"


class NormalizationMode(enum.Enum):
    IDENTITY = "IDENTITY"


@dataclass
class PolicyFeature:
    type: FeatureType
    shape: tuple[int, ...]


class Registered:
    """Configurations by name."""

    choices: ClassVar[dict[str, type]]

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if Registered in cls.__bases__:
            cls.choices = {}

    @classmethod
    def register_subclass(cls, name: str) -> Callable[[type], type]:
        return lambda made: cls.choices.setdefault(name, made)

    @property
    def type(self) -> str:
        return next(name for name, made in self.choices.items() if made is self.__class__)


@dataclass
class PreTrainedConfig(Registered):
    device: str | None = "cpu"
    push_to_hub: bool = True
    input_features: dict[str, PolicyFeature] = field(default_factory=dict)

    @classmethod
    def from_pretrained(cls, folder: str, **_: Any) -> Any:
        content = json.loads((Path(folder) / "config.json").read_text())
        return cls.choices[content.pop("type")](**content)

    def _save_pretrained(self, folder: Path) -> None:
        content = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "normalization_mapping"}
        (folder / "config.json").write_text(json.dumps({"type": self.type} | content))


class PreTrainedPolicy(torch.nn.Module):
    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if not (getattr(cls, "config_class", None) and getattr(cls, "name", None)):
            raise TypeError("a policy names its config_class and itself")

    def __init__(self, config: PreTrainedConfig) -> None:
        super().__init__()
        self.config = config


@dataclass(kw_only=True)
class RobotConfig(Registered):
    id: str | None = None
    calibration_dir: Path | None = None


class Robot:
    def __init__(self, config: RobotConfig) -> None:
        self.robot_type, self.id = self.name, config.id  # type: ignore[attr-defined]

    def __del__(self) -> None:
        if self.is_connected:  # type: ignore[attr-defined]
            self.disconnect()  # type: ignore[attr-defined]


@dataclass
class EnvConfig(Registered):
    task: str | None = None
    fps: int = 30


@dataclass
class RenameObservationsProcessorStep:
    rename_map: dict[str, str]

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        return {self.rename_map.get(key, key): value for key, value in batch.items()}


class AddBatchDimensionProcessorStep:
    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value[None] if isinstance(value, torch.Tensor) else [value] for key, value in batch.items()}


@dataclass
class DeviceProcessorStep:
    device: str

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: value.to(self.device) if isinstance(value, torch.Tensor) else value for key, value in batch.items()
        }


@dataclass
class PolicyProcessorPipeline:
    steps: Sequence[Callable[[Any], Any]]
    name: str
    to_transition: Any = None
    to_output: Any = None

    def __call__(self, data: Any) -> Any:
        for step in self.steps:
            data = step(data)
        return data

    def save_pretrained(self, folder: Path, config_filename: str) -> None:
        steps = [type(step).__name__ for step in self.steps]
        (folder / config_filename).write_text(json.dumps({"name": self.name, "steps": steps}))


class Env:
    def __class_getitem__(cls, _: Any) -> type:
        return cls

    def reset(self, *, seed: int | None = None) -> None: ...


PROCESSORS = (
    AddBatchDimensionProcessorStep,
    DeviceProcessorStep,
    PolicyProcessorPipeline,
    RenameObservationsProcessorStep,
)
MODULES: dict[str, dict[str, Any]] = {
    "lerobot": {},
    "lerobot.configs": {"PreTrainedConfig": PreTrainedConfig},
    "lerobot.configs.types": {
        "FeatureType": FeatureType, "NormalizationMode": NormalizationMode, "PolicyFeature": PolicyFeature,
    },
    "lerobot.envs": {},
    "lerobot.envs.configs": {"EnvConfig": EnvConfig},
    "lerobot.policies": {},
    "lerobot.policies.pretrained": {"PreTrainedPolicy": PreTrainedPolicy},
    "lerobot.processor": {one.__name__: one for one in PROCESSORS},
    "lerobot.processor.converters": {"policy_action_to_transition": None, "transition_to_policy_action": None},
    "lerobot.robots": {},
    "lerobot.robots.config": {"RobotConfig": RobotConfig},
    "lerobot.robots.robot": {"Robot": Robot},
    "lerobot.utils": {},
    "lerobot.utils.constants": {
        "POLICY_PREPROCESSOR_DEFAULT_NAME": "policy_preprocessor",
        "POLICY_POSTPROCESSOR_DEFAULT_NAME": "policy_postprocessor",
    },
    "gymnasium": {
        "Env": Env,
        "register": lambda *_, **__: None,
        "spaces": SimpleNamespace(Box=lambda low, high, shape, kind: np.empty(shape, kind), Dict=dict),
    },
}  # fmt: skip


def modules() -> dict[str, ModuleType]:
    """Modules to put into `sys.modules`."""
    made = {}
    for name, content in MODULES.items():
        made[name] = ModuleType(name)
        made[name].__dict__.update(content)
    return made
