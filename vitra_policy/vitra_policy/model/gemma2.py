"""Gemma-2 trunk as VITRA uses it: one bidirectional prefill of embeddings, no vocabulary head, no cache."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from vitra_policy.model.config import LanguageConfig


class GemmaNorm(nn.Module):
    """Root-mean-square norm in fp32 with a gain stored as its difference from one."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension of (..., width)."""
        y = x.float()
        y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + self.eps)
        return (y * (1.0 + self.weight.float())).type_as(x)


def rotary_tables(length: int, config: LanguageConfig, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines (length, head_dim) of positions 1..length; VITRA counts from one.

    Args:
        length: Number of tokens.
        config: Sizes of the trunk.
        device: Where they are made.
    """
    exponent = torch.arange(0, config.head_dim, 2, dtype=torch.int64, device=device).float() / config.head_dim
    positions = torch.arange(1, length + 1, device=device).float()
    angles = torch.outer(positions, 1.0 / config.rope_theta**exponent).repeat(1, 2)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding of heads (B, heads, N, head_dim).

    Args:
        x: Heads.
        cos: (N, head_dim).
        sin: (N, head_dim).
    """
    first, second = x.chunk(2, dim=-1)
    return x * cos.to(x.dtype) + torch.cat((-second, first), dim=-1) * sin.to(x.dtype)


class GemmaAttention(nn.Module):
    """Grouped-query attention with tanh soft-capped logits.

    The soft cap sits before the mask; fused attention kernels cannot express it, so the logits are formed explicitly.
    """

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.config = config
        self.query = nn.Linear(config.width, config.heads * config.head_dim, bias=False)
        self.key = nn.Linear(config.width, config.kv_heads * config.head_dim, bias=False)
        self.value = nn.Linear(config.width, config.kv_heads * config.head_dim, bias=False)
        self.out = nn.Linear(config.heads * config.head_dim, config.width, bias=False)

    def forward(self, x: Tensor, rotary: tuple[Tensor, Tensor], bias: Tensor | None, rows: Tensor | None) -> Tensor:
        """Attend from all tokens, or from ``rows`` (B, 1) only, to all tokens; ``bias`` (B, 1, 1, N) is additive.

        Args:
            x: Tokens (B, N, width).
            rotary: Cosines and sines (N, head_dim).
            bias: Added to the scores; None: all are seen.
            rows: Tokens that attend; None: all.
        """
        cfg, (cos, sin) = self.config, rotary
        k = rotate(self._heads(self.key(x)), cos, sin)
        v = self._heads(self.value(x))
        if rows is None:
            q = rotate(self._heads(self.query(x)), cos, sin)
        else:
            q = rotate(self._heads(self.query(take_rows(x, rows))), cos[rows][:, None], sin[rows][:, None])
        groups = cfg.heads // cfg.kv_heads
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
        logits = torch.matmul(q, k.transpose(2, 3)) * cfg.query_scalar**-0.5
        if cfg.softcap is not None:
            logits = torch.tanh(logits / cfg.softcap) * cfg.softcap
        if bias is not None:
            logits = logits + bias
        weights = F.softmax(logits, dim=-1, dtype=torch.float32).to(q.dtype)
        out: Tensor = self.out(torch.matmul(weights, v).transpose(1, 2).flatten(2))
        return out

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], -1, self.config.head_dim).transpose(1, 2)


class GemmaLayer(nn.Module):
    """Layer with norms before and after both attention and the gated MLP."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.attention = GemmaAttention(config)
        self.gate = nn.Linear(config.width, config.mlp_width, bias=False)
        self.up = nn.Linear(config.width, config.mlp_width, bias=False)
        self.down = nn.Linear(config.mlp_width, config.width, bias=False)
        self.norm_attention_in = GemmaNorm(config.width, config.norm_eps)
        self.norm_attention_out = GemmaNorm(config.width, config.norm_eps)
        self.norm_mlp_in = GemmaNorm(config.width, config.norm_eps)
        self.norm_mlp_out = GemmaNorm(config.width, config.norm_eps)

    def forward(
        self, x: Tensor, rotary: tuple[Tensor, Tensor], bias: Tensor | None, rows: Tensor | None = None
    ) -> Tensor:
        """One layer; returns all rows, or only ``rows`` (B, 1), which costs a fraction and is exact.

        Args:
            x: Tokens (B, N, width).
            rotary: Cosines and sines (N, head_dim).
            bias: (B, 1, 1, N) added to the scores; None: all are seen.
            rows: Tokens that are wanted; None: all.
        """
        attended = self.attention(self.norm_attention_in(x), rotary, bias, rows)
        x = (x if rows is None else take_rows(x, rows)) + self.norm_attention_out(attended)
        y = self.norm_mlp_in(x)
        y = self.down(F.gelu(self.gate(y), approximate="tanh") * self.up(y))
        out: Tensor = x + self.norm_mlp_out(y)
        return out


class Gemma2(nn.Module):
    """Word embedding, layers and final norm."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.layers = nn.ModuleList(GemmaLayer(config) for _ in range(config.layers))
        self.norm = GemmaNorm(config.width, config.norm_eps)
        self.gradient_checkpointing = False
        nn.init.normal_(self.embedding.weight, std=config.width**-0.5)

    def forward(self, embeddings: Tensor, valid: Tensor | None = None, rows: Tensor | None = None) -> Tensor:
        """Contextual features of a sequence of embeddings; every token sees every valid token.

        Args:
            embeddings: (B, N, width), unscaled; they are multiplied by sqrt(width) here.
            valid: (B, N) bool, False for padding keys; None when nothing is padded.
            rows: (B, 1) indices; when given, the last layer is computed for these rows only.

        Returns:
            (B, N, width), or (B, 1, width) with ``rows``, after the final norm.
        """
        x = embeddings * torch.tensor(self.config.width**0.5, dtype=embeddings.dtype, device=embeddings.device)
        rotary = rotary_tables(x.shape[1], self.config, x.device)
        bias = None
        if valid is not None:
            bias = torch.zeros(valid.shape, dtype=x.dtype, device=x.device)
            bias = bias.masked_fill(~valid, torch.finfo(x.dtype).min)[:, None, None, :]
        last = len(self.layers) - 1
        for index, layer in enumerate(self.layers):
            layer_rows = rows if index == last else None
            if self.gradient_checkpointing and self.training:
                x = checkpoint(layer, x, rotary, bias, layer_rows, use_reentrant=False)
            else:
                x = layer(x, rotary, bias, layer_rows)
        features: Tensor = self.norm(x)
        return features


def take_rows(x: Tensor, rows: Tensor) -> Tensor:
    """Rows (B, R) of tokens (B, N, width): (B, R, width)."""
    return x.gather(1, rows[..., None].expand(-1, -1, x.shape[-1]))
