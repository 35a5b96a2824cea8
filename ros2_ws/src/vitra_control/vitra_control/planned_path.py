"""How far setpoints are from the path that was planned, as a measure: of place, not of time."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from vitra_policy.transforms import quaternion_from_matrix

Array = NDArray[np.float64]

_PARTS = 9


class PlannedPath:
    """The last targets that one arm's plan went through, as a line.

    Args:
        length: How many targets are remembered; setpoints trail the plan by fewer.
    """

    def __init__(self, length: int = 16) -> None:
        self._targets: deque[Array] = deque(maxlen=length)

    def add(self, target: Array) -> None:
        """The target (7 or more,) that the plan has come to: x y z (m) qx qy qz qw."""
        self._targets.append(target[:7].copy())

    def deviation(self, wrist: Array, allowed_m: float = 0.002, allowed_rad: float = 0.0087) -> tuple[float, float]:
        """Distance [m] and rotation [rad] of a wrist (4, 4) from the line, where both are least.

        Args:
            wrist: Pose (4, 4).
            allowed_m: Distance that counts as much as `allowed_rad`.
            allowed_rad: Rotation that counts as much as `allowed_m`.
        """
        targets = np.array(self._targets)
        if len(targets) < 2:
            return 0.0, 0.0
        share = np.linspace(0.0, 1.0, _PARTS)[:, None, None]
        points = (targets[:-1] + share * (targets[1:] - targets[:-1])).reshape(-1, 7)
        distance = np.linalg.norm(points[:, :3] - wrist[:3, 3], axis=1)
        own = quaternion_from_matrix(wrist[:3, :3])
        cosine = np.abs(points[:, 3:] @ own) / np.maximum(np.linalg.norm(points[:, 3:], axis=1), 1e-9)
        angle = 2 * np.arccos(np.minimum(cosine, 1.0))
        best = int(np.argmin(np.maximum(distance / allowed_m, angle / allowed_rad)))
        return float(distance[best]), float(angle[best])
