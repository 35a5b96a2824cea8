"""A batch of training as tensors; needs nothing but torch, so that a benchmark can make one up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from vitra_training.datasets.samples.sample import Framing
    from vitra_training.datasets.samples.stream import Failure, SampleKey


@dataclass(frozen=True, slots=True)
class TrainBatch:
    """B examples as tensors; rows of the draws are (repeats, B)."""

    pixels: Tensor
    """(B, 3, S, S) uint8."""
    text_ids: Tensor
    """(B, T) padded."""
    text_valid: Tensor
    """(B, T) bool."""
    fov_rad: Tensor
    """(B, 2)."""
    state: Tensor
    """(B, state_dim) normalised."""
    state_mask: Tensor
    """(B, state_dim) bool."""
    actions: Tensor
    """(B, steps, action_dim) normalised."""
    action_mask: Tensor
    """(B, steps, action_dim) bool."""
    is_robot: Tensor
    """(B,) bool."""
    noise: Tensor
    """(R, B, steps, action_dim)."""
    timesteps: Tensor
    """(R, B)."""
    dropped: Tensor
    """(R, B) bool."""
    prefix_lengths: Tensor
    """(R, B)."""
    keys: tuple[SampleKey, ...] = ()
    framings: tuple[Framing, ...] = ()
    failures: tuple[Failure, ...] = ()

    def to(self, device: torch.device) -> TrainBatch:
        """The batch on a device."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> TrainBatch:
        """The batch in page-locked memory; called by the data loader."""
        return self._map(lambda tensor: tensor.pin_memory())

    def _map(self, change: Callable[[Tensor], Tensor]) -> TrainBatch:
        tensors = {f.name: value for f in fields(self) if isinstance(value := getattr(self, f.name), Tensor)}
        changed: dict[str, Any] = {name: change(tensor) for name, tensor in tensors.items()}
        return replace(self, **changed)
