"""Field of view of the camera as one token."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F


class FovEncoder(nn.Module):
    """Two-layer perceptron from the field of view to a token embedding (paper: FoV token)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(2, width)
        self.fc2 = nn.Linear(width, width)

    def forward(self, fov_rad: Tensor) -> Tensor:
        """Token (B, 1, width) of full horizontal and vertical angles (B, 2), radians."""
        token: Tensor = self.fc2(F.gelu(self.fc1(fov_rad)))
        return token[:, None]


def fov_from_focal(width_px: float, height_px: float, fx_px: float, fy_px: float) -> tuple[float, float]:
    """Full horizontal and vertical field of view in radians of a pinhole image of that size and focal lengths.

    Args:
        width_px: Of the image.
        height_px: Of the image.
        fx_px: Focal length.
        fy_px: Focal length.
    """
    return 2 * math.atan(width_px / (2 * fx_px)), 2 * math.atan(height_px / (2 * fy_px))
