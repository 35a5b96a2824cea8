"""The diffusion loss, averaged per component of the hand so that 45 finger angles do not drown 6 wrist numbers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vitra_policy.action_space import FINGERS, HAND, SIDES, WRIST


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the wrist and finger components; they scale the loss and do not renormalise it.

    Numbers, or tensors (B,) with one weight per sample where human and robot data share a batch.
    """

    wrist: float | Tensor = 1.0
    fingers: float | Tensor = 1.0

    def repeat(self, times: int) -> LossWeights:
        """Weights of a batch that is repeated as a whole."""
        wrist, fingers = (w.repeat(times) if isinstance(w, Tensor) else w for w in (self.wrist, self.fingers))
        return LossWeights(wrist, fingers)


HUMAN_WEIGHTS = LossWeights()
ROBOT_WEIGHTS = LossWeights(wrist=1.6, fingers=0.4)


@dataclass(frozen=True, slots=True)
class LossSettings:
    """How the loss of a batch is taken."""

    weights: LossWeights = HUMAN_WEIGHTS
    """Component weights; `ROBOT_WEIGHTS` for robot data; numbers, or (B,) tensors for mixed batches."""
    repeats: int = 8
    """Noise draws per sample (8 in pre-training, 2 in fine-tuning)."""
    cognition_dropout: float = 0.1
    """Chance per row of training without the cognition feature (guidance); training mode only."""
    max_prefix: int = 0
    """Above 0, rows draw a clean committed prefix of 0..max_prefix steps that carries no loss (training-time real-time
    chunking, arXiv 2512.05964)."""


@dataclass(frozen=True, slots=True)
class LossDraws:
    """Random numbers of a loss; what is None is drawn. Rows are ordered `repeat * B + sample`."""

    noise: Tensor | None = None
    """(repeats * B, steps, action_dim) standard normal."""
    timesteps: Tensor | None = None
    """(repeats * B,)."""
    dropped: Tensor | None = None
    """(repeats * B,) bool, rows without the cognition feature."""
    prefix_lengths: Tensor | None = None
    """(repeats * B,) clean steps per row."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Total loss and its components."""

    total: Tensor
    """Scalar to minimise."""
    components: dict[str, Tensor]
    """Mean squared noise error of ``left_wrist``, ``left_fingers``, ``right_wrist``, ``right_fingers``; 0 if masked."""


def component_loss(predicted: Tensor, noise: Tensor, mask: Tensor, weights: LossWeights = HUMAN_WEIGHTS) -> Loss:
    """Component-weighted noise error (docs/model.md: Training).

    Each component's mean squared error over its valid entries is weighted by its valid steps:
    ``sum(w_c L_c n_c) / sum(n_c)`` with n_c counted on the component's first dimension.

    Args:
        predicted: (B, steps, action_dim).
        noise: (B, steps, action_dim) that was added.
        mask: (B, steps, action_dim) bool.
        weights: Component weights.
    """
    error = (predicted - noise).float().pow(2) * mask
    total, count = error.new_zeros(()), error.new_zeros(())
    components: dict[str, Tensor] = {}
    for side in SIDES:
        for name, part, weight in (("wrist", WRIST, weights.wrist), ("fingers", FINGERS, weights.fingers)):
            chosen = slice(HAND[side].start + part.start, HAND[side].start + part.stop)
            valid = mask[..., chosen]
            entries, steps = valid.sum().clamp(min=1), valid[..., 0].sum()
            mean = error[..., chosen].sum() / entries
            if isinstance(weight, Tensor):
                weighted = (error[..., chosen] * weight[:, None, None]).sum() / entries
            else:
                weighted = weight * mean
            total, count = total + weighted * steps, count + steps
            components[f"{side}_{name}"] = mean.detach()
    return Loss(total / torch.clamp(count, min=1), components)
