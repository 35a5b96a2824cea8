"""DeepCalib's calibration of single images (Bogdan et al. 2018)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitra_training.labeling.adapters.bridge import run_bridge
from vitra_training.labeling.adapters.tool import DEEPCALIB, ToolConfig
from vitra_training.labeling.errors import EstimatorFailedError
from vitra_training.labeling.ingest.lens import Lens, LensKind

_SIDE_PX = 299


def calibrate_with_deepcalib(
    frames: Path, width_px: int, height_px: int, every: int, config: ToolConfig, work: Path
) -> tuple[Lens, float]:
    """The camera of a folder of images, and the spread of its focal length over them as a share.

    Args:
        frames: numbered JPEG files; the square in their middle is looked at.
        width_px: of the images.
        height_px: of the images.
        every: every how many-th is looked at.
        config: where DeepCalib is installed.
        work: folder for its output.

    Raises:
        MissingModelError: something that it needs is not there.
        EstimatorFailedError: it gave nothing.
    """
    folder, out = DEEPCALIB.found(config), work / "deepcalib.npz"
    run_bridge(DEEPCALIB, config, "deepcalib",
               {"frames": frames, "checkpoint": folder / "weights.h5", "every": every, "out": out}, folder)  # fmt: skip
    try:
        with np.load(out, allow_pickle=False) as file:
            focal, xi = file["focal_px"].astype(np.float64), file["xi"].astype(np.float64)
    except (OSError, ValueError, KeyError) as cause:
        raise EstimatorFailedError(DEEPCALIB.name, f"its output is not what the bridge writes ({cause})") from None
    if len(focal) == 0 or len(focal) != len(xi) or not np.isfinite([focal, xi]).all():
        raise EstimatorFailedError(DEEPCALIB.name, "there is no camera in it")
    central = focal / (1 + xi)
    spread = 1.4826 * float(np.median(np.abs(central - np.median(central)))) / float(np.median(central))
    scale = min(width_px, height_px) / _SIDE_PX
    f = float(np.median(focal)) * scale
    lens = Lens(LensKind.UNIFIED, width_px, height_px,
                (f, f, width_px / 2 - 0.5, height_px / 2 - 0.5, float(np.median(xi))), "DeepCalib")  # fmt: skip
    return lens, spread
