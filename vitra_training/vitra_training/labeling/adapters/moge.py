"""MoGe-2's metric depth and focal length (Wang et al. 2025)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_training.labeling.adapters.bridge import run_bridge
from vitra_training.labeling.adapters.tool import MOGE, ToolConfig
from vitra_training.labeling.errors import EstimatorFailedError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MetricDepth:
    """Depth of some frames of a clip."""

    frames: NDArray[np.int64]
    """(N,)."""
    depth_m: NDArray[np.float32]
    """(N, H, W) along the optical axis; infinite where nothing is known."""
    focal_share: Array
    """(N,) focal length over the image's width."""

    def median_focal_px(self, width_px: int) -> tuple[float, float]:
        """Focal length in pixels, and its spread over the frames as a share."""
        middle = float(np.median(self.focal_share))
        spread = 1.4826 * float(np.median(np.abs(self.focal_share - middle))) / middle
        return middle * width_px, spread


def depth_with_moge(frames: Path, every: int, config: ToolConfig, work: Path) -> MetricDepth:
    """Metric depth of every n-th image of a folder.

    Args:
        frames: numbered JPEG files.
        every: n.
        config: where MoGe-2 is installed.
        work: folder for its output.

    Raises:
        MissingModelError: something that it needs is not there.
        EstimatorFailedError: it gave nothing.
    """
    folder, out = MOGE.found(config), work / "moge.npz"
    run_bridge(MOGE, config, "moge", {"frames": frames, "checkpoint": folder / "model.pt", "every": every, "out": out},
               folder)  # fmt: skip
    try:
        with np.load(out, allow_pickle=False) as file:
            found = MetricDepth(file["frames"].astype(np.int64), file["depth_m"].astype(np.float32),
                                file["intrinsics"][:, 0, 0].astype(np.float64))  # fmt: skip
    except (OSError, ValueError, KeyError, IndexError) as cause:
        raise EstimatorFailedError(MOGE.name, f"its output is not what the bridge writes ({cause})") from None
    usable = np.isfinite(found.depth_m) & (found.depth_m > 0)
    if len(found.frames) == 0 or not usable.any() or not (found.focal_share > 0).all():
        raise EstimatorFailedError(MOGE.name, "there is no usable depth in it")
    return found
