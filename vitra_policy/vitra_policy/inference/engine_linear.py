"""Linear layers of the fast engine: packed for the CPU, plain, or fp8 with per-row scales."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vitra_policy.errors import VitraError

FP8 = torch.float8_e4m3fn
Wrap = Callable[[Callable[..., Tensor]], Callable[..., Tensor]]
"""Something like ``torch.compile`` that is applied to a function of tensors."""


def unwrapped(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The :data:`Wrap` that does nothing."""
    return function


_FP8_MAX = 448.0
_FP8_MULTIPLE = 16
"""Both sides of an fp8 weight must be multiples of this."""
_TINY = 1e-12
_TYPICAL_ROWS = 32


class Fp8UnavailableError(VitraError):
    """This machine or this PyTorch cannot multiply fp8 matrices."""


class Precision(StrEnum):
    """Number format of matrix products."""

    FULL = "full"
    """The engine's own dtype: fp32 on a CPU, bf16 on a GPU."""
    BF16 = "bf16"
    """Products of bf16 numbers summed in fp32 while everything else stays in the engine's dtype, for CPUs."""
    FP8 = "fp8"
    """Weights and activations in fp8 (e4m3) with a scale per row, products summed in fp32."""


class PlainLinear(nn.Module):
    """``x W^T + b``, then tanh-GELU if asked."""

    def __init__(self, weight: Tensor, bias: Tensor | None, gelu: bool) -> None:
        super().__init__()
        self.weight = nn.Buffer(weight.contiguous())
        self.bias = None if bias is None else nn.Buffer(bias.contiguous())
        self.gelu = gelu

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        y = F.linear(x, self.weight, self.bias)
        return F.gelu(y, approximate="tanh") if self.gelu else y


class PackedLinear(nn.Module):
    """The same with a weight in oneDNN's blocked layout, about 1.5 times faster on a few dozen rows of a CPU."""

    def __init__(self, weight: Tensor, bias: Tensor | None, gelu: bool) -> None:
        super().__init__()
        self._dtype = weight.dtype
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), _TYPICAL_ROWS)
        self._bias = None if bias is None else bias.contiguous()
        self._activation: tuple[str, list[Any], str] = ("gelu", [], "tanh") if gelu else ("none", [], "")
        self._product = torch.ops.mkldnn._linear_pointwise.default

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out), in the type of the weight."""
        y: Tensor = self._product(x.to(self._dtype), self._weight, self._bias, *self._activation)
        return y

    # Called hundreds of times a chunk: without the hooks of nn.Module, which nobody uses here.
    __call__ = forward


class Fp8Linear(nn.Module):
    """The same with weights and activations in fp8, each row scaled to use the whole range."""

    def __init__(self, weight: Tensor, bias: Tensor | None, gelu: bool) -> None:
        super().__init__()
        quantised, scale = quantise_rows(weight.float())
        self.weight, self.scale = nn.Buffer(quantised), nn.Buffer(scale.T.contiguous())
        self.bias = None if bias is None else nn.Buffer(bias)
        self.gelu = gelu

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out), in the type of x."""
        quantised, scale = quantise_rows(x.flatten(0, -2).float())
        y = torch._scaled_mm(quantised, self.weight.t(), scale, self.scale, out_dtype=x.dtype, use_fast_accum=True)
        y = y.view(*x.shape[:-1], -1)
        y = y if self.bias is None else y + self.bias
        return F.gelu(y, approximate="tanh") if self.gelu else y


class Gated(nn.Module):
    """Gate and value from one product; best where launches cost most."""

    def __init__(self, both: nn.Module) -> None:
        super().__init__()
        self.both = both

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        both: Tensor = self.both(x)
        gate, up = both.chunk(2, dim=-1)
        return F.gelu(gate, approximate="tanh") * up


class GatedPair(nn.Module):
    """Gate and value from two products; best where a product can apply GELU to what it still has at hand."""

    def __init__(self, gate: nn.Module, up: nn.Module) -> None:
        super().__init__()
        self.gate, self.up = gate, up

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        out: Tensor = self.gate(x) * self.up(x)
        return out


def quantise_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """fp8 rows (N, K) of fp32 rows, and their scales (N, 1): ``x`` is about ``fp8 * scale``."""
    scale = x.abs().amax(dim=-1, keepdim=True).clamp_min(_TINY) / _FP8_MAX
    return (x / scale).clamp(-_FP8_MAX, _FP8_MAX).to(FP8), scale


def check_fp8(device: torch.device) -> None:
    """Try one fp8 product.

    Raises:
        Fp8UnavailableError: It does not work here.
    """
    try:
        Fp8Linear(torch.eye(32, device=device), None, gelu=False)(torch.ones(16, 32, device=device).bfloat16())
    except (RuntimeError, AttributeError, TypeError, NotImplementedError, ValueError) as error:
        reason = str(error).splitlines()[0][:160]
        raise Fp8UnavailableError(
            f"fp8 products do not work on {device} with PyTorch {torch.__version__} ({reason}). They need an NVIDIA "
            "GPU of the Ada or Hopper generation or newer; the engine goes on in its usual precision."
        ) from error


@dataclass(frozen=True, slots=True)
class Linears:
    """Makes the linear layers of one part of the engine, in the fastest form its device and number format allow."""

    device: torch.device
    dtype: torch.dtype
    precision: Precision = Precision.FULL
    packed: bool = True
    """Pack weights where that helps; packed layers cannot be compiled."""

    @property
    def coarse(self) -> bool:
        """Whether products have fewer bits than fp32, so that a rounding of 1e-6 elsewhere is nothing."""
        return self.dtype != torch.float32 or self.precision is not Precision.FULL

    @property
    def packs(self) -> bool:
        """Whether layers come packed."""
        return self.packed and self.device.type == "cpu" and _can_pack()

    def __call__(
        self, weight: Tensor, bias: Tensor | None = None, *, gelu: bool = False, full: bool = False
    ) -> nn.Module:
        """A linear layer.

        Args:
            weight: (out, in), fp32 on any device.
            bias: (out,) or None.
            gelu: Apply tanh-GELU to the result.
            full: Never in fp8; layers whose sizes do not allow fp8 never are.
        """
        dtype = torch.bfloat16 if self.precision is Precision.BF16 else self.dtype
        weight = weight.detach().to(self.device, dtype)
        bias = None if bias is None else bias.detach().to(self.device, dtype)
        if self.precision is Precision.FP8 and not full and all(n % _FP8_MULTIPLE == 0 for n in weight.shape):
            return Fp8Linear(weight, bias, gelu)
        if self.packs:
            return PackedLinear(weight, bias, gelu)
        return PlainLinear(weight.to(self.dtype), None if bias is None else bias.to(self.dtype), gelu)

    def gated(self, gate: Tensor, up: Tensor) -> nn.Module:
        """``gelu(x gate^T) * (x up^T)`` with tanh-GELU."""
        if self.packs:
            return GatedPair(self(gate, gelu=True), self(up))
        return Gated(self(torch.cat([gate, up])))

    def of(self, layer: nn.Linear, gelu: bool = False) -> nn.Module:
        """The same linear layer in the engine's form."""
        return self(layer.weight, layer.bias, gelu=gelu)

    def norm(self, norm: nn.LayerNorm) -> nn.LayerNorm:
        """A copy of a layer norm, in fp32."""
        copied = nn.LayerNorm(norm.normalized_shape, eps=norm.eps, device=self.device)
        copied.load_state_dict(norm.state_dict())
        return copied.requires_grad_(False)

    def constant(self, tensor: Tensor) -> Tensor:
        """A constant on the device, in fp32."""
        return tensor.detach().to(self.device, torch.float32)


def has_fast_bf16(device: torch.device) -> bool:
    """Whether a CPU multiplies bf16 numbers natively and PyTorch can use it."""
    if device.type != "cpu" or not _can_pack():
        return False
    questions = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(question is not None and question() for question in questions)


def _can_pack() -> bool:
    pack: Callable[..., Tensor] | None = getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)
    return pack is not None and bool(torch._C._has_mkldnn)
