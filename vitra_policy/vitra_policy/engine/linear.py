"""Linear layers of the fast engine: plain, bf16 products in an fp32 engine, or fp8 with per-row scales."""

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
Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Something like ``torch.compile`` that is applied to a function of tensors."""


def unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """The :data:`Wrap` that does nothing."""
    return function


_FP8_MAX = 448.0
_FP8_MULTIPLE = 16
"""Both sides of an fp8 weight must be multiples of this."""
_TINY = 1e-12


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
    """``x W^T + b``, then tanh-GELU if asked; the product in the weight's number format."""

    def __init__(self, weight: Tensor, bias: Tensor | None, gelu: bool, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Buffer(weight.contiguous())
        self.bias = None if bias is None else nn.Buffer(bias.contiguous())
        self.gelu, self.dtype = gelu, dtype

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out), in the engine's format; after GELU in the weight's."""
        y = F.linear(x.to(self.weight.dtype), self.weight, self.bias)
        return F.gelu(y, approximate="tanh") if self.gelu else y.to(self.dtype)


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
    """Gate and value from one product."""

    def __init__(self, both: nn.Module) -> None:
        super().__init__()
        self.both = both

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        both: Tensor = self.both(x)
        gate, up = both.chunk(2, dim=-1)
        return F.gelu(gate, approximate="tanh") * up


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
    except (RuntimeError, AttributeError, TypeError, NotImplementedError, ValueError, OverflowError) as error:
        reason = str(error).splitlines()[0][:160]
        raise Fp8UnavailableError(
            f"fp8 products do not work on {device} with PyTorch {torch.__version__} ({reason}). They need an NVIDIA "
            "GPU of the Ada or Hopper generation or newer; the engine goes on in its usual precision."
        ) from error


@dataclass(frozen=True, slots=True)
class Linears:
    """Makes the linear layers of one part of the engine."""

    device: torch.device
    dtype: torch.dtype
    precision: Precision = Precision.FULL

    @property
    def coarse(self) -> bool:
        """Whether products have fewer bits than fp32, so that a rounding of 1e-6 elsewhere is nothing."""
        return self.dtype != torch.float32 or self.precision is not Precision.FULL

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
        return PlainLinear(weight, bias, gelu, self.dtype)

    def gated(self, gate: Tensor, up: Tensor) -> nn.Module:
        """``gelu(x gate^T) * (x up^T)`` with tanh-GELU."""
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
        """A constant (any shape) on the device, in fp32."""
        return tensor.detach().to(self.device, torch.float32)
