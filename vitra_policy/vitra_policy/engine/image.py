"""Image preprocessing of the fast engine: the reference's two resizes by what is fastest for the device."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vitra_policy.image import SHORT_SIDE_PX, pixel_values, resized_pixel_values
from vitra_policy.model.config import VisionConfig

_CUBIC = -0.5
"""PIL's cubic coefficient."""


def _lanczos(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


def _bicubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.abs(x)
    near = ((_CUBIC + 2) * x - (_CUBIC + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * _CUBIC - 4 * _CUBIC
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def shrunk_size(height: int, width: int) -> tuple[int, int]:
    """Rows and columns after the first resize: short side 224, the other rounded down."""
    if width < height:
        return math.floor(height * SHORT_SIDE_PX / width), SHORT_SIDE_PX
    return SHORT_SIDE_PX, math.floor(width * SHORT_SIDE_PX / height)


def resize_matrix(
    size_in: int, size_out: int, kernel: Callable[[NDArray[np.float64]], NDArray[np.float64]], support: float
) -> NDArray[np.float64]:
    """Weights (size_out, size_in) of PIL's antialiased resampling along one side.

    Args:
        size_in: Pixels before.
        size_out: Pixels behind.
        kernel: Weights at distances (n,), in pixels of the coarser side.
        support: Distance from which it is 0.
    """
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


class ExactResizer:
    """Camera images on the CPU to network input, bit for bit as in parity mode (PIL)."""

    def __init__(self, image_size: int) -> None:
        self._size = image_size

    def __call__(self, image: Tensor) -> Tensor:
        """Network input (1, 3, image_size, image_size) in [-1, 1] of an image (H, W, 3) uint8."""
        return torch.from_numpy(pixel_values(image.numpy(), self._size))[None]


class QuickResizer:
    """Camera images on the CPU to network input by PyTorch's own kernels, about six times faster than PIL.

    Equals :func:`vitra_policy.image.pixel_values` to a grey level.
    """

    def __init__(self, image_size: int) -> None:
        self._size = image_size

    def __call__(self, image: Tensor) -> Tensor:
        """Network input (1, 3, image_size, image_size) in [-1, 1] of an image (H, W, 3) uint8."""
        x = image.permute(2, 0, 1)[None]
        x = F.interpolate(x, shrunk_size(image.shape[0], image.shape[1]), mode="lanczos", antialias=True)
        x = F.interpolate(x, (self._size, self._size), mode="bicubic", antialias=True)
        return x.float().contiguous().mul_(2 / 255).sub_(1)

    @staticmethod
    def available() -> bool:
        """Whether this PyTorch has the kernels."""
        try:
            QuickResizer(8)(torch.zeros(9, 9, 3, dtype=torch.uint8))
        except (NotImplementedError, RuntimeError, ValueError):
            return False
        return True


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
            shrunk, square = shrunk_size(height, width), (self._size, self._size)
            self._matrices[height, width] = (
                None if shrunk == (height, width) else self._pair((height, width), shrunk, _lanczos, 3.0),
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


class BilinearResizer:
    """Camera images to the input of a small tower, the very numbers of parity mode.

    Args:
        shape: (height, width) of the network's input, pixels.
        device: Where images are.
    """

    def __init__(self, shape: tuple[int, int], device: torch.device) -> None:
        self._shape, self._device = shape, device

    def __call__(self, image: Tensor) -> Tensor:
        """Network input (1, 3, height, width) in [-1, 1] of an image (H, W, 3) uint8."""
        return torch.from_numpy(resized_pixel_values(image.cpu().numpy(), self._shape))[None].to(self._device)


def choose_resizer(vision: VisionConfig, device: torch.device, *, exact: bool) -> Callable[[Tensor], Tensor]:
    """The fastest resizer for a tower and device; ``exact`` asks for PIL's very numbers, which need a CPU with PIL.

    Args:
        vision: Sizes of the tower.
        device: Where it runs.
        exact: PIL's numbers.
    """
    if vision.kind != "siglip":
        return BilinearResizer(vision.image_shape, device)
    image_size = vision.image_size
    if device.type == "cpu":
        if exact and find_spec("PIL") is not None:
            return ExactResizer(image_size)
        if QuickResizer.available():
            return QuickResizer(image_size)
    return DeviceResizer(image_size, device)
