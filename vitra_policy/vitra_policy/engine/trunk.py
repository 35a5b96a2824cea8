"""The language trunk of the fast engine: one prefill whose last layer is computed for the cognition token only."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vitra_policy.engine.linear import Linears, Wrap
from vitra_policy.model.config import LanguageConfig
from vitra_policy.model.gemma2 import Gemma2, GemmaLayer, GemmaNorm, rotary_tables


def unit_rms(x: Tensor, eps: float) -> Tensor:
    """The last dimension of (..., width) over its root mean square, in fp32."""
    y = x.float()
    spread = torch.linalg.vector_norm(y, dim=-1, keepdim=True) * y.shape[-1] ** -0.5
    return y * torch.rsqrt(spread.square() + eps)


def gain_of(norm: GemmaNorm) -> Tensor:
    """What a norm multiplies by (width,), its offset added."""
    return 1.0 + norm.weight.detach().float()


class TrunkLayer(nn.Module):
    """One layer's weights; scale and soft cap are folded into the queries, gains of the norms into what follows them.

    Args:
        layer: The network's layer.
        linears: Makes the linear layers.
        last: Queries apart from keys and values, because only one row needs them.
    """

    def __init__(self, layer: GemmaLayer, linears: Linears, last: bool) -> None:
        super().__init__()
        attention = layer.attention
        cfg = self.config = attention.config
        self.softcap, self.dtype, self.coarse = cfg.softcap, linears.dtype, linears.coarse
        self.eps = cfg.norm_eps
        seen, fed = gain_of(layer.norm_attention_in), gain_of(layer.norm_mlp_in)
        query = attention.query.weight * seen * (cfg.query_scalar**-0.5 / (cfg.softcap or 1.0))
        keys_values = [attention.key.weight * seen, attention.value.weight * seen]
        self.query = linears(query) if last else None
        self.qkv = linears(torch.cat(keys_values if last else [query, *keys_values]))
        self.out = linears(attention.out.weight)
        self.gate_up = linears.gated(layer.gate.weight * fed, layer.up.weight * fed)
        self.down = linears(layer.down.weight)
        self.gain_attention = nn.Buffer(linears.constant(gain_of(layer.norm_attention_out)))
        self.gain_mlp = nn.Buffer(linears.constant(gain_of(layer.norm_mlp_out)))

    def project(self, layer: nn.Module, x: Tensor) -> Tensor:
        """Heads (R, heads, D) of rows (R, width)."""
        heads: Tensor = layer(x).to(self.dtype)
        return heads.view(x.shape[0], -1, self.config.head_dim)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
        """Grouped attention: queries (R, heads, D), keys and values (N, kv_heads, D), additive bias (N,).

        Args:
            query: Queries.
            key: Keys.
            value: Values.
            bias: Added to the scores; None: no padding.
        """
        groups = self.config.kv_heads
        rows, heads, size = query.shape
        q = query.reshape(rows, groups, heads // groups, size).permute(1, 2, 0, 3).flatten(1, 2)
        logits = torch.bmm(q, key.permute(1, 2, 0)).float()
        if self.softcap is not None and self.coarse:
            # c tanh(y) = 2 c sigmoid(2 y) - c; a softmax does not see the constant, and a sigmoid is far cheaper.
            logits = torch.sigmoid(logits.mul_(2.0)).mul_(2 * self.softcap)
        elif self.softcap is not None:
            logits = torch.tanh(logits) * self.softcap
        if bias is not None:
            logits = logits + bias
        y = torch.bmm(F.softmax(logits, dim=-1).to(self.dtype), value.transpose(0, 1))
        return y.view(groups, heads // groups, rows, size).permute(2, 0, 1, 3).flatten(1)

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """The rest of the layer after attention (R, heads * D); x (R, width) is the fp32 residual stream."""
        x = torch.addcmul(x, unit_rms(self.out(attended), self.eps), self.gain_attention)
        hidden = self.gate_up(unit_rms(x, self.eps).to(self.dtype))
        return torch.addcmul(x, unit_rms(self.down(hidden), self.eps), self.gain_mlp)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of heads (N, heads, D); the first half of ``sin`` (N, 1, D) comes negated.

    Args:
        x: Heads.
        cos: Cosines (N, 1, D).
        sin: Sines, first half negated.
    """
    y = x.float()
    return (y * cos + y.roll(y.shape[-1] // 2, -1) * sin).to(x.dtype)


def run_layer(layer: TrunkLayer, x: Tensor, cos: Tensor, sin: Tensor, bias: Tensor | None) -> Tensor:
    """One layer for all rows (N, width).

    Args:
        layer: Its weights.
        x: Tokens.
        cos: Cosines (N, 1, D).
        sin: Sines (N, 1, D), first half negated.
        bias: Added to the scores (N,); None: no padding.
    """
    cfg = layer.config
    heads = layer.project(layer.qkv, unit_rms(x, layer.eps).to(layer.dtype))
    rotated = rotate(heads[:, : cfg.heads + cfg.kv_heads], cos, sin)
    query, key = rotated[:, : cfg.heads], rotated[:, cfg.heads :]
    return layer.finish(x, layer.attend(query, key, heads[:, -cfg.kv_heads :], bias))


def run_last_layer(layer: TrunkLayer, x: Tensor, cos: Tensor, sin: Tensor, bias: Tensor | None, row: Tensor) -> Tensor:
    """The last layer for one row (1,) of (N, width).

    Args:
        layer: Its weights.
        x: Tokens.
        cos: Cosines (N, 1, D).
        sin: Sines (N, 1, D), first half negated.
        bias: Added to the scores (N,); None: no padding.
        row: Which token is wanted.
    """
    cfg = layer.config
    assert layer.query is not None
    normed = unit_rms(x, layer.eps).to(layer.dtype)
    keys_values = layer.project(layer.qkv, normed)
    key, value = keys_values[:, : cfg.kv_heads], keys_values[:, cfg.kv_heads :]
    query = layer.project(layer.query, normed.index_select(0, row))
    query = rotate(query, cos.index_select(0, row), sin.index_select(0, row))
    return layer.finish(x.index_select(0, row), layer.attend(query, rotate(key, cos, sin), value, bias))


class FastTrunk(nn.Module):
    """Embeddings to the cognition feature.

    Args:
        trunk: The network's trunk.
        linears: Makes the linear layers.
        wrap: Applied to the layer function, e.g. ``torch.compile``.
    """

    def __init__(self, trunk: Gemma2, linears: Linears, wrap: Wrap) -> None:
        super().__init__()
        self.config: LanguageConfig = trunk.config
        self.device, last = linears.device, len(trunk.layers) - 1
        self.layers = nn.ModuleList(
            TrunkLayer(layer, linears, index == last)  # type: ignore[arg-type]
            for index, layer in enumerate(trunk.layers)
        )
        self.gain = nn.Buffer(linears.constant(gain_of(trunk.norm)))
        self._run, self._run_last = wrap(run_layer), wrap(run_last_layer)
        self._rotary: dict[int, tuple[Tensor, Tensor]] = {}

    def forward(
        self, x: Tensor, row: Tensor, bias: Tensor | None = None, rotary: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        """Cognition feature (1, 1, width).

        Args:
            x: (N, width) fp32, scaled by sqrt(width).
            row: (1,) index of the cognition token.
            bias: (N,) 0 for tokens and -inf for padding; None when nothing is padded.
            rotary: What :meth:`rotary` gives for N, or None to look it up.
        """
        cos, sin = rotary or self.rotary(len(x))
        *layers, last = self.layers
        for layer in layers:
            x = self._run(layer, x, cos, sin, bias)
        return (unit_rms(self._run_last(last, x, cos, sin, bias, row), self.config.norm_eps) * self.gain)[None]

    def rotary(self, length: int) -> tuple[Tensor, Tensor]:
        """Tables (length, 1, head_dim), remembered."""
        if length not in self._rotary:
            cos, sin = rotary_tables(length, self.config, self.device)
            half = self.config.head_dim // 2
            self._rotary[length] = cos[:, None], torch.cat([-sin[:, :half], sin[:, half:]], dim=1)[:, None]
        return self._rotary[length]
