"""One block of the fast engine's action expert, split where attention of context and action tokens differs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vitra_policy.engine.linear import Linears
from vitra_policy.model.dit import DitBlock

PARTS = 6
"""Of a block's modulation: shift, scale and gate of its attention, then of its MLP."""
_NORM_EPS = 1e-6


class ExpertBlock(nn.Module):
    """One block, split where the attention of context and action tokens differs."""

    def __init__(self, block: DitBlock, linears: Linears) -> None:
        super().__init__()
        self.heads, self.dtype = block.heads, linears.dtype
        self.eps = block.query_norm.eps
        gains = torch.stack([block.query_norm.weight, block.key_norm.weight])[:, None]
        self.qkv, self.out = linears.of(block.qkv), linears.of(block.out)
        self.fc1, self.fc2 = linears.of(block.fc1, gelu=True), linears.of(block.fc2)
        self.gains = nn.Buffer(linears.constant(gains))

    def heads_of(self, x: Tensor, shift: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (B, T, heads, head_dim), norms applied.

        Args:
            x: Tokens (B, T, width).
            shift: Of the modulation (B, 1, width).
            scale: Of the modulation (B, 1, width), 1 already added.
        """
        qkv = self.qkv(modulate(x, shift, scale).to(self.dtype))
        qkv = qkv.view(*qkv.shape[:-1], 3, self.heads, -1)
        qk = qkv[..., :2, :, :].float()
        inverse = torch.rsqrt(qk.var(-1, keepdim=True) + self.eps)
        query, key = (qk * inverse * self.gains).to(self.dtype).unbind(-3)
        return query, key, qkv.select(-3, 2).to(self.dtype)

    def mix(self, x: Tensor, attended: Tensor, gate_a: Tensor, parts: tuple[Tensor, ...]) -> Tensor:
        """The rest of the block after attention (B, T, heads, head_dim).

        Args:
            x: Tokens (B, T, width) before the block.
            attended: What attention gave (B, T, heads, head_dim).
            gate_a: Gate of the attention (B, 1, width).
            parts: Shift, scale and gate of the MLP, (B, 1, width) each.
        """
        shift, scale, gate = parts
        x = torch.addcmul(x, gate_a, self.out(attended.flatten(-2)))
        hidden = self.fc1(modulate(x, shift, scale).to(self.dtype))
        return torch.addcmul(x, gate, self.fc2(hidden))


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Norm and modulation; ``scale`` comes with its 1 already added.

    Args:
        x: Tokens (B, T, width).
        shift: (B, 1, width).
        scale: (B, 1, width).
    """
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=_NORM_EPS), scale)


def run_block(
    block: ExpertBlock, x: Tensor, parts: tuple[Tensor, ...], context: Tensor | None, mask: Tensor | None
) -> Tensor:
    """One block over tokens (B, T, width) that also see the context's keys and values (B, C, 2, heads, head_dim).

    Args:
        block: Its weights.
        x: Tokens (B, T, width).
        parts: Modulation: shift, scale, gate of attention, then of the MLP, (B, 1, width) each.
        context: Keys and values of the context tokens; None: there are none.
        mask: Added to the scores (T, C + T); None: everything is seen.
    """
    query, key, value = block.heads_of(x, parts[0], parts[1])
    if context is not None:
        key, value = torch.cat([context[:, :, 0], key], dim=1), torch.cat([context[:, :, 1], value], dim=1)
    return block.mix(x, _attend(query, key, value, mask), parts[2], parts[3:])


def run_context_block(block: ExpertBlock, x: Tensor, parts: tuple[Tensor, ...], last: bool) -> tuple[Tensor, Tensor]:
    """One block over the context tokens (R, C, width): their keys and values (R, C, 2, heads, head_dim), and x behind.

    Behind the last block nobody needs x.

    Args:
        block: Its weights.
        x: Context tokens (R, C, width).
        parts: Modulation, as in `run_block`.
        last: Whether it is the last block.
    """
    query, key, value = block.heads_of(x, parts[0], parts[1])
    if not last:
        x = block.mix(x, _attend(query, key, value, None, causal=True), parts[2], parts[3:])
    return torch.stack([key, value], dim=2), x


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool = False) -> Tensor:
    q, k, v = (t.transpose(1, 2) for t in (query, key, value))
    return F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal).transpose(1, 2)
