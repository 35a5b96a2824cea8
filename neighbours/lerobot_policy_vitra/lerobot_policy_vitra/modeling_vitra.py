"""The policy: LeRobot's batches through a mapping to the stack's observations, and chunks back to joint targets."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lerobot.configs import PreTrainedConfig
from lerobot.policies.pretrained import PreTrainedPolicy
from torch import Tensor

from lerobot_policy_vitra.configuration_vitra import VitraConfig
from vitra_policy.mappings.mapping import load_mapping
from vitra_policy.mappings.translator import Translator
from vitra_policy.policies.registry import create_policy, parse_options
from vitra_policy.policies.robot import find_robot

_STATE = "observation.state"


class VitraPolicy(PreTrainedPolicy):
    """Any registered policy of the stack; one robot at a time."""

    config_class = VitraConfig
    name = "vitra"

    def __init__(self, config: VitraConfig, *inputs: Any, **more: Any) -> None:
        super().__init__(config)
        mapping = load_mapping(config.mapping)
        self._translator = Translator(mapping, find_robot(config.calibration))
        self._policy = create_policy(config.policy, parse_options([config.options]))
        self._policy.warm_up()
        self._action_queue: deque[Tensor] = deque()
        self._steps = 0
        self.register_parameter("_device_of", torch.nn.Parameter(torch.zeros(1), requires_grad=False))

    @classmethod
    def from_pretrained(
        cls, pretrained_name_or_path: str | Path | None, *, config: PreTrainedConfig | None = None, **more: Any
    ) -> VitraPolicy:
        """The policy of a folder that `lerobot_policy_vitra.package` wrote, or of a configuration alone.

        The weights are the stack's checkpoint, which `options` names; there is nothing else to load.
        """
        if config is None:
            config = PreTrainedConfig.from_pretrained(str(pretrained_name_or_path), **more)
        policy = cls(config)
        policy.to(config.device)
        policy.eval()
        return policy

    def reset(self) -> None:
        """A new episode."""
        self._policy.reset()
        self._action_queue.clear()
        self._steps = 0

    def get_optim_params(self) -> dict[str, Any]:
        """Nothing to train here."""
        return {"params": []}

    def forward(self, batch: dict[str, Tensor], reduction: str = "mean") -> tuple[Tensor, dict[str, Any]]:
        """Trained elsewhere."""
        raise NotImplementedError("Policies of the VITRA stack are trained by vitra-train.")

    @torch.no_grad()
    def predict_action_chunk(self, batch: dict[str, Tensor], **more: Any) -> Tensor:
        """Joint targets (1, 16, 38) of one observation."""
        request: dict[str, Any] = {"stamp_s": self._steps * self._translator.mapping.step_s}
        for key, value in batch.items():
            if isinstance(value, Tensor):
                if value.shape[:1] != (1,):
                    raise ValueError(f"{key} holds {value.shape[0]} robots; this policy moves one at a time.")
                request[key] = value[0].detach().cpu().numpy()
            elif isinstance(value, list | tuple) and value and isinstance(value[0], str):
                request[key] = value[0]
        observation = self._translator.observation(request)
        self._policy.metadata.check(observation)
        answer = self._translator.mapping.answer
        rows = self._translator.answer(self._policy.infer(observation), observation)[answer.key]
        return torch.from_numpy(_held(rows, answer.ignored, request[_STATE]))[None]

    @torch.no_grad()
    def select_action(self, batch: dict[str, Tensor], **more: Any) -> Tensor:
        """The next joint targets (1, 38)."""
        if not self._action_queue:
            self._action_queue.extend(self.predict_action_chunk(batch)[0, : self.config.n_action_steps])
        self._steps += 1
        return self._action_queue.popleft()[None]


def _held(rows: np.ndarray, ignored: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Rows (16, n) whose ignored columns stay where they are measured: as zeros they would move the other arm.

    Raises:
        ValueError: State and action do not have the same layout, so nobody knows where they are.
    """
    if ignored.any():
        if state.shape != ignored.shape:
            raise ValueError(
                f"The mapping ignores {int(ignored.sum())} of {len(ignored)} numbers of the action, and the state has "
                f"{state.shape[-1]}: what the others are to do is unknown. Use a mapping that names them all."
            )
        rows = rows.copy()
        rows[:, ignored] = state[ignored]
    return rows
