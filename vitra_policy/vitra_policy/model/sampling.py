"""Denoising an action chunk: DDIM, classifier-free guidance and a committed prefix."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vitra_policy.model.diffusion import Diffusion
from vitra_policy.model.dit import Dit


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a chunk is drawn under, batch B."""

    cognition: Tensor
    """(B, 1, cognition_width)."""
    state: Tensor
    """(B, state_dim) normalised."""
    state_mask: Tensor
    """(B, state_dim), bool or as numbers."""
    action_mask: Tensor
    """(B, steps, action_dim), bool or as numbers."""

    def repeated(self, times: int) -> Conditions:
        """The batch over again, so many times."""
        parts = (self.cognition, self.state, self.state_mask, self.action_mask)
        return Conditions(*(part.repeat(times, *[1] * (part.ndim - 1)) for part in parts))

    def guided(self, unconditional: Tensor) -> Conditions:
        """Both halves of the guidance: the batch, then again with an unconditional feature (1, 1, cognition_width)."""
        twice = self.repeated(2)
        empty = unconditional.to(self.cognition.dtype).expand_as(self.cognition)
        return replace(twice, cognition=torch.cat([self.cognition, empty]))


@dataclass(frozen=True, slots=True)
class Prefix:
    """Actions that are already committed to the robot and must open the new chunk (real-time chunking)."""

    actions: Tensor
    """(B, d, action_dim) normalised, re-expressed in the new observation's camera frame."""
    clean: bool = False
    """False: written over the sample at its noise level before every step, which needs no training.
    True: given clean with timestep 0, for models trained that way (arXiv 2512.05964)."""
    dims: Tensor | None = None
    """(action_dim,) bool, dimensions the prefix holds for; None for all. A clean prefix holds for all."""

    def over(self, head: Tensor, x: Tensor) -> Tensor:
        """A sample (B, steps, action_dim) with its first steps replaced by ``head``."""
        length = self.actions.shape[1]
        if self.dims is not None:
            head = torch.where(self.dims, head, x[:, :length])
        return torch.cat([head, x[:, length:]], dim=1)


@dataclass(frozen=True, slots=True)
class Denoising:
    """How a chunk is drawn."""

    steps: int = 10
    """DDIM steps, one of `Diffusion.legal_steps`."""
    guidance: float = 5.0
    """Classifier-free guidance scale; 1 runs the conditional half alone."""
    prefix: Prefix | None = None
    """Committed actions."""


def sample_actions(
    expert: Dit, diffusion: Diffusion, given: Conditions, noise: Tensor, how: Denoising | None = None
) -> Tensor:
    """Denoised normalised actions (B, steps, action_dim); masked dimensions are 0.

    Guidance ``eps = u + guidance * (c - u)`` swaps the cognition feature for the learned unconditional one and keeps
    the state in both halves; guidance 1 runs the conditional half alone.

    Args:
        expert: The noise predictor.
        diffusion: Its noise schedule.
        given: Cognition feature, state and masks (bool).
        noise: (B, steps, action_dim) standard normal.
        how: Steps, guidance and prefix; None: as published.
    """
    how = how or Denoising()
    guided, prefix = how.guidance != 1.0, how.prefix
    seen = given.guided(expert.unconditional) if guided else given
    x, batch = noise, len(noise)
    for update in diffusion.ddim(how.steps):
        if prefix is not None:
            x = _write_prefix(x, noise, prefix, update.alpha)
        timesteps = torch.full((len(seen.cognition),), update.timestep, device=x.device)
        if prefix is not None and prefix.clean:
            timesteps = expert.token_timesteps(timesteps, torch.full_like(timesteps, prefix.actions.shape[1]))
        rows = x.repeat(2, 1, 1) if guided else x
        eps = expert(rows, timesteps, seen.cognition, seen.state, seen.state_mask, seen.action_mask)
        if guided:
            conditional, unconditional = eps[:batch], eps[batch:]
            eps = unconditional + how.guidance * (conditional - unconditional)
        x = update.keep * x + update.add * eps
    if prefix is not None:
        x = prefix.over(prefix.actions, x)
    return x * given.action_mask


def _write_prefix(x: Tensor, noise: Tensor, prefix: Prefix, alpha: float) -> Tensor:
    length = prefix.actions.shape[1]
    head = prefix.actions
    if not prefix.clean:
        head = alpha**0.5 * head + (1 - alpha) ** 0.5 * noise[:, :length]
    return prefix.over(head, x)
