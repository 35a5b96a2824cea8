"""Images in other light: what a camera in another room would show, with colours that still have their names."""

from __future__ import annotations

import torch
from torch import Tensor

_BRIGHTER, _CONTRAST, _TINT, _GAMMA, _NOISE = 0.15, 0.20, 0.06, 0.25, 0.02


def recoloured(images: Tensor) -> Tensor:
    """Images (B, 3, H, W) in [-1, 1], each with its own brightness, contrast, tint, gamma and noise.

    Nothing moves in them, so places stay true. Numbers come from PyTorch's generator of their device.
    """

    def spread(channels: int, by: float) -> Tensor:
        return (2 * torch.rand((len(images), channels, 1, 1), device=images.device) - 1) * by

    x = ((images + 1) / 2).clamp(1e-3, 1)
    x = x ** torch.exp(spread(1, _GAMMA))
    middle = x.mean(dim=(1, 2, 3), keepdim=True)
    x = (x - middle) * (1 + spread(1, _CONTRAST)) + middle
    x = x * (1 + spread(3, _TINT)) + spread(1, _BRIGHTER)
    x = x + torch.randn_like(x) * spread(1, _NOISE)
    return x.clamp(0, 1) * 2 - 1
