"""Denoising an action chunk: DDIM, classifier-free guidance and a committed prefix."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vitra_policy.model.diffusion import Diffusion
from vitra_policy.model.dit import Dit


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


def sample_actions(
    expert: Dit,
    diffusion: Diffusion,
    *,
    cognition: Tensor,
    noise: Tensor,
    state: Tensor,
    state_mask: Tensor,
    action_mask: Tensor,
    steps: int = 10,
    guidance: float = 5.0,
    prefix: Prefix | None = None,
) -> Tensor:
    """Denoised normalised actions (B, steps, action_dim); masked dimensions are 0.

    Guidance ``eps = u + guidance * (c - u)`` swaps the cognition feature for the learned unconditional one and keeps
    the state in both halves; guidance 1 runs the conditional half alone.

    Args:
        expert: The noise predictor.
        diffusion: Its noise schedule.
        cognition: (B, 1, cognition_width).
        noise: (B, steps, action_dim) standard normal.
        state: (B, state_dim) normalised.
        state_mask: (B, state_dim) bool.
        action_mask: (B, steps, action_dim) bool.
        steps: DDIM steps, one of ``diffusion.legal_steps()``.
        guidance: Classifier-free guidance scale.
        prefix: Committed actions, or None.
    """
    guided = guidance != 1.0
    if guided:
        cognition = torch.cat([cognition, expert.unconditional.to(cognition.dtype).expand_as(cognition)])
        state, state_mask, action_mask = (t.repeat(2, *[1] * (t.ndim - 1)) for t in (state, state_mask, action_mask))
    x, batch = noise, len(noise)
    for update in diffusion.ddim(steps):
        if prefix is not None:
            x = _write_prefix(x, noise, prefix, update.alpha)
        timesteps = torch.full((len(cognition),), update.timestep, device=x.device)
        if prefix is not None and prefix.clean:
            timesteps = expert.token_timesteps(timesteps, torch.full_like(timesteps, prefix.actions.shape[1]))
        eps = expert(x.repeat(2, 1, 1) if guided else x, timesteps, cognition, state, state_mask, action_mask)
        if guided:
            conditional, unconditional = eps[:batch], eps[batch:]
            eps = unconditional + guidance * (conditional - unconditional)
        x = update.keep * x + update.add * eps
    if prefix is not None:
        x = prefix.over(prefix.actions, x)
    return x * action_mask[:batch]


def _write_prefix(x: Tensor, noise: Tensor, prefix: Prefix, alpha: float) -> Tensor:
    length = prefix.actions.shape[1]
    head = prefix.actions
    if not prefix.clean:
        head = alpha**0.5 * head + (1 - alpha) ** 0.5 * noise[:, :length]
    return prefix.over(head, x)
