"""Image preprocessing on the device: the reference's two PIL resizes as matrix products."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitra_policy.image import SHORT_SIDE_PX

_CUBIC = -0.5
"""PIL's cubic coefficient."""


def _lanczos(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


def _bicubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.abs(x)
    near = ((_CUBIC + 2) * x - (_CUBIC + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * _CUBIC - 4 * _CUBIC
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def resize_matrix(
    size_in: int, size_out: int, kernel: Callable[[NDArray[np.float64]], NDArray[np.float64]], support: float
) -> NDArray[np.float64]:
    """Weights (size_out, size_in) of PIL's antialiased resampling along one side."""
    scale = size_in / size_out
    stretch = max(scale, 1.0)
    matrix = np.zeros((size_out, size_in))
    for row in range(size_out):
        centre = (row + 0.5) * scale
        first = max(int(centre - support * stretch + 0.5), 0)
        last = min(int(centre + support * stretch + 0.5), size_in)
        weights = kernel(np.asarray((np.arange(first, last) - centre + 0.5) / stretch, dtype=np.float64))
        matrix[row, first:last] = weights / weights.sum()
    return matrix


class DeviceResizer:
    """Camera images on the device to network input; equals :func:`vitra_policy.image.pixel_values` to a grey level.

    Args:
        image_size: Side of the network's square input, pixels.
        device: Where images are.
    """

    def __init__(self, image_size: int, device: torch.device) -> None:
        self._size, self._device = image_size, device
        self._matrices: dict[tuple[int, int], tuple[tuple[Tensor, Tensor] | None, ...]] = {}

    def __call__(self, image: Tensor) -> Tensor:
        """Network input (1, 3, image_size, image_size) in [-1, 1] of an image (H, W, 3) uint8."""
        x = image.permute(2, 0, 1).float()
        for stage in self._stages(int(image.shape[0]), int(image.shape[1])):
            if stage is not None:
                rows, columns = stage
                # PIL rounds to bytes after each pass, columns first.
                x = torch.matmul(x, columns).add_(0.5).floor_().clamp_(0, 255)
                x = torch.matmul(rows, x).add_(0.5).floor_().clamp_(0, 255)
        return (x * (2 / 255) - 1)[None]

    def _stages(self, height: int, width: int) -> tuple[tuple[Tensor, Tensor] | None, ...]:
        if (height, width) not in self._matrices:
            short = min(height, width)
            if width < height:
                shrunk = (math.floor(height * SHORT_SIDE_PX / width), SHORT_SIDE_PX)
            else:
                shrunk = (SHORT_SIDE_PX, math.floor(width * SHORT_SIDE_PX / height))
            square = (self._size, self._size)
            self._matrices[height, width] = (
                None if short == SHORT_SIDE_PX else self._pair((height, width), shrunk, _lanczos, 3.0),
                None if shrunk == square else self._pair(shrunk, square, _bicubic, 2.0),
            )
        return self._matrices[height, width]

    def _pair(
        self,
        size_in: tuple[int, int],
        size_out: tuple[int, int],
        kernel: Callable[[NDArray[np.float64]], NDArray[np.float64]],
        support: float,
    ) -> tuple[Tensor, Tensor]:
        rows, columns = (
            torch.from_numpy(resize_matrix(a, b, kernel, support)).to(self._device, torch.float32)
            for a, b in zip(size_in, size_out, strict=True)
        )
        return rows, columns.T.contiguous()
