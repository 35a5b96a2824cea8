"""Diffusion transformer that predicts the noise of an action chunk from the cognition feature and the hand state."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from vitra_policy.model.config import ExpertConfig
from vitra_policy.model.variance_norm import VarianceNorm

_TIME_FEATURES = 256
_MAX_PERIOD = 10_000.0
_NORM_EPS = 1e-6
_MLP_RATIO = 4


def time_features(timesteps: Tensor) -> Tensor:
    """Cosines then sines (..., 256) of raw diffusion timesteps (...)."""
    half = _TIME_FEATURES // 2
    exponent = torch.arange(half, dtype=torch.float32, device=timesteps.device) / half
    angles = timesteps[..., None].float() * torch.exp(-math.log(_MAX_PERIOD) * exponent)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Normalise the last dimension without gain, then scale and shift it (adaLN).

    Args:
        x: Tokens (B, T, width).
        shift: (B, 1, width).
        scale: (B, 1, width).
    """
    return F.layer_norm(x, x.shape[-1:], eps=_NORM_EPS) * (1 + scale) + shift


class DitBlock(nn.Module):
    """Attention and MLP, both modulated and gated by the conditioning (adaLN-zero)."""

    def __init__(self, config: ExpertConfig) -> None:
        super().__init__()
        width = config.width
        self.heads, self.causal = config.heads, config.causal
        self.qkv = nn.Linear(width, 3 * width)
        self.query_norm = VarianceNorm(width // config.heads)
        self.key_norm = VarianceNorm(width // config.heads)
        self.out = nn.Linear(width, width)
        self.fc1 = nn.Linear(width, _MLP_RATIO * width)
        self.fc2 = nn.Linear(_MLP_RATIO * width, width)
        self.modulation = nn.Linear(width, 6 * width)

    def forward(self, x: Tensor, conditioning: Tensor) -> Tensor:
        """One block.

        Args:
            x: (B, tokens, width).
            conditioning: (B, 1, width) shared by all tokens or (B, tokens, width) per token.
        """
        return self.apply_modulation(x, self.modulation(F.silu(conditioning)))

    def apply_modulation(self, x: Tensor, modulation: Tensor) -> Tensor:
        """The block with its modulation (B, 1 or tokens, 6 * width) already computed."""
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = modulation.chunk(6, dim=-1)
        x = x + gate_a * self._attend(modulate(x, shift_a, scale_a))
        out: Tensor = x + gate_m * self.fc2(F.gelu(self.fc1(modulate(x, shift_m, scale_m)), approximate="tanh"))
        return out

    def _attend(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(self.query_norm(q), self.key_norm(k), v, is_causal=self.causal)
        out: Tensor = self.out(y.transpose(1, 2).flatten(2))
        return out


class Dit(nn.Module):
    """The action expert (paper section 3.2; docs/model.md: Action expert).

    Tokens are ``[cognition, state, action_1 .. action_16]`` plus learned positions; the conditioning of every block
    is the embedded cognition feature plus the embedded timestep.
    """

    def __init__(self, config: ExpertConfig, cognition_width: int) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.position_embedding = nn.Parameter(torch.empty(config.tokens, width))
        self.unconditional = nn.Parameter(torch.empty(1, cognition_width))
        self.cognition_in = nn.Linear(cognition_width, width)
        self.time_in = nn.ModuleList([nn.Linear(_TIME_FEATURES, width), nn.Linear(width, width)])
        self.action_in = nn.ModuleList([nn.Linear(2 * config.action_dim, width), nn.Linear(width, width)])
        self.state_in: nn.ModuleList | None = None
        if config.use_state:
            seen = width if config.state_sees_cognition else 0
            widths = (2 * config.state_dim + seen, _MLP_RATIO * width, width, width)
            self.state_in = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:], strict=False))
        self.blocks = nn.ModuleList(DitBlock(config) for _ in range(config.layers))
        self.out_modulation = nn.Linear(width, 2 * width)
        self.action_out = nn.Linear(width, config.action_dim)
        self.gradient_checkpointing = False
        self._initialise()

    def forward(
        self,
        noisy: Tensor,
        timesteps: Tensor,
        cognition: Tensor,
        state: Tensor,
        state_mask: Tensor,
        action_mask: Tensor,
    ) -> Tensor:
        """Predicted noise (B, steps, action_dim).

        Args:
            noisy: (B, steps, action_dim) noisy normalised actions; masked dimensions are zeroed here.
            timesteps: (B,) raw diffusion timesteps, or (B, tokens) with one per token, context tokens included
                (see :meth:`token_timesteps`; training-time real-time chunking).
            cognition: (B, 1, cognition_width).
            state: (B, state_dim) normalised; ignored by a model without state.
            state_mask: (B, state_dim) bool.
            action_mask: (B, steps, action_dim) bool.
        """
        z = self.embed_cognition(cognition)
        c = z + self.embed_time(timesteps)
        x = torch.cat([*self.context(z, state, state_mask), self.embed_actions(noisy, action_mask)], dim=1)
        x = x + self.position_embedding
        for block in self.blocks:
            if self.gradient_checkpointing and self.training:
                x = checkpoint(block, x, c, use_reentrant=False)
            else:
                x = block(x, c)
        shift, scale = self.out_modulation(F.silu(c)).chunk(2, dim=-1)
        noise: Tensor = self.action_out(modulate(x, shift, scale))[:, self.config.context_tokens :]
        return noise

    def embed_cognition(self, cognition: Tensor) -> Tensor:
        """Cognition feature (B, 1, cognition_width) as a token (B, 1, width)."""
        token: Tensor = self.cognition_in(cognition)
        return token

    def embed_time(self, timesteps: Tensor) -> Tensor:
        """Timesteps (B,) as (B, 1, width), or (B, tokens) as (B, tokens, width)."""
        features = time_features(timesteps).to(self.cognition_in.weight.dtype)
        embedded: Tensor = self.time_in[1](F.silu(self.time_in[0](features)))
        return embedded[:, None] if timesteps.ndim == 1 else embedded

    def embed_actions(self, noisy: Tensor, action_mask: Tensor) -> Tensor:
        """Noisy actions and their mask as tokens (B, steps, width)."""
        mask = action_mask.to(noisy.dtype)
        tokens: Tensor = self.action_in[1](F.gelu(self.action_in[0](torch.cat([noisy * mask, mask], dim=-1))))
        return tokens

    def context(self, cognition_token: Tensor, state: Tensor, state_mask: Tensor) -> list[Tensor]:
        """Tokens (B, 1, width) that precede the actions.

        Args:
            cognition_token: (B, 1, width).
            state: (B, state_dim) normalised.
            state_mask: (B, state_dim).
        """
        if self.state_in is None:
            return [cognition_token]
        mask = state_mask.to(state.dtype)
        parts = [state * mask, mask]
        if self.config.state_sees_cognition:
            parts.append(cognition_token[:, 0].to(state.dtype))
        s = F.gelu(self.state_in[0](torch.cat(parts, dim=-1)))
        return [cognition_token, self.state_in[2](F.gelu(self.state_in[1](s)))[:, None]]

    def token_timesteps(self, timesteps: Tensor, prefix_lengths: Tensor) -> Tensor:
        """Per-token timesteps (B, tokens): 0 for the clean action prefix (B,), ``timesteps`` (B,) elsewhere."""
        index = torch.arange(self.config.tokens, device=timesteps.device) - self.config.context_tokens
        clean = (index >= 0) & (index < prefix_lengths[:, None])
        return torch.where(clean, 0, timesteps[:, None])

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.position_embedding, std=0.02)
        nn.init.normal_(self.unconditional, std=0.02)
        for name, parameter in self.named_parameters():
            if name.endswith(".modulation.weight") or name in {"out_modulation.weight", "action_out.weight"}:
                nn.init.zeros_(parameter)
            elif name.startswith("time_in.") and name.endswith(".weight"):
                nn.init.normal_(parameter, std=0.02)
