"""The network with its loss as one module, which is what replicas, shards and compilers need."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vitra_policy.action_space import FINGERS, HAND, SIDES, WRIST
from vitra_policy.model.loss import LossDraws, LossSettings, LossWeights
from vitra_policy.model.sampling import Conditions, Denoising
from vitra_policy.model.vla import Vitra
from vitra_training.training.batch import TrainBatch
from vitra_training.training.config import LossConfig


@dataclass(frozen=True, slots=True)
class Sampling:
    """How actions are denoised in evaluation."""

    steps: int = 10
    """DDIM steps."""
    guidance: float = 5.0
    """Classifier-free guidance scale."""


class TrainingNetwork(nn.Module):
    """Backbone under bf16 autocast where asked, expert in fp32 as in the reference.

    Args:
        vitra: the network; its vision tower is frozen here.
        loss: weights of the components.
        bf16: whether the backbone's activations are bfloat16.
    """

    def __init__(self, vitra: Vitra, loss: LossConfig, bf16: bool = False) -> None:
        super().__init__()
        vitra.freeze_vision()
        self.vitra, self._loss, self._bf16 = vitra, loss, bf16

    def forward(self, batch: TrainBatch, sampling: Sampling | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and its components; with `sampling` normalised actions (R, B, steps, action_dim) and nothing else.

        Denoising starts from the batch's R noise draws.
        """
        with torch.autocast(batch.pixels.device.type, torch.bfloat16, enabled=self._bf16):
            pixels = batch.pixels.float() / 127.5 - 1
            cognition = self.vitra.cognition(pixels, batch.text_ids, batch.fov_rad, batch.text_valid)
        if sampling is not None:
            return self._sample(batch, cognition, sampling), {}
        cfg, robot = self._loss, batch.is_robot
        weights = LossWeights(
            wrist=torch.where(robot, cfg.robot_wrist, cfg.human_wrist),
            fingers=torch.where(robot, cfg.robot_fingers, cfg.human_fingers),
        )
        draws = LossDraws(
            noise=batch.noise.flatten(0, 1),
            timesteps=batch.timesteps.flatten(),
            dropped=batch.dropped.flatten(),
            prefix_lengths=batch.prefix_lengths.flatten() if cfg.max_prefix else None,
        )
        given = Conditions(cognition, batch.state, batch.state_mask, batch.action_mask)
        loss = self.vitra.loss(given, batch.actions, LossSettings(weights, len(batch.noise)), draws)
        return loss.total, loss.components

    def _sample(self, batch: TrainBatch, cognition: Tensor, sampling: Sampling) -> Tensor:
        draws = len(batch.noise)
        given = Conditions(cognition.float(), batch.state, batch.state_mask, batch.action_mask).repeated(draws)
        how = Denoising(sampling.steps, sampling.guidance)
        actions = self.vitra.denoise(given, batch.noise.flatten(0, 1), how)
        return actions.view(draws, -1, *actions.shape[1:])


def valid_components(batch: TrainBatch, max_prefix: int) -> Tensor:
    """What a batch counts in the loss of a larger one: valid (component, step, repeat) triples, scalar.

    The loss of a batch is a mean over these, so parts of a global batch add up exactly when each is weighted by its
    share of the count, whatever the split into processes and micro-batches.
    """
    steps = torch.arange(batch.actions.shape[1], device=batch.actions.device)
    lengths = batch.prefix_lengths if max_prefix else torch.zeros_like(batch.prefix_lengths)
    carries_loss = steps >= lengths[..., None]
    total = torch.zeros((), device=batch.actions.device)
    for side in SIDES:
        for part in (WRIST, FINGERS):
            total = total + (batch.action_mask[..., HAND[side].start + part.start] & carries_loss).sum()
    return total
