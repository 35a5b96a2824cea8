"""Exponential moving average of the weights, sharded as they are."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class MovingAverage:
    """`average <- decay * average + (1 - decay) * weights` after every step, over trainable parameters.

    Args:
        parameters: by name.
        decay: in (0, 1); early on it is at most (1 + steps) / (10 + steps), so that fresh weights fade quickly.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        self._parameters = {name: p for name, p in parameters.items() if p.requires_grad}
        self._decay = decay
        self.values: dict[str, Tensor] = {name: p.detach().clone() for name, p in self._parameters.items()}

    @torch.no_grad()
    def update(self, steps_done: int) -> None:
        """Follow the weights after optimizer step number `steps_done` (1 is the first)."""
        follow = 1 - min(self._decay, (1 + steps_done) / (10 + steps_done))
        for name, parameter in self._parameters.items():
            self.values[name].lerp_(parameter.detach(), follow)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange average and weights; twice is as before. For evaluating what the policy will get."""
        for name, parameter in self._parameters.items():
            weights = parameter.detach().clone()
            parameter.copy_(self.values[name])
            self.values[name].copy_(weights)
