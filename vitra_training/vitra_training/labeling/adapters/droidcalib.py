"""DroidCalib's camera calibration from video (Hagemann et al. 2023)."""

from __future__ import annotations

import re
from pathlib import Path

from vitra_training.labeling.adapters.bridge import run_program
from vitra_training.labeling.adapters.tool import DROIDCALIB, ToolConfig
from vitra_training.labeling.errors import EstimatorFailedError
from vitra_training.labeling.ingest.lens import Lens, LensKind

_NUMBER = r"(-?\d+(?:\.\d+)?)"
_ANSWER = re.compile(
    rf"Estimated intrinsics:\s+fx = {_NUMBER}, fy = {_NUMBER}, ppx = {_NUMBER}, ppy = {_NUMBER}(?:, xi = {_NUMBER})?"
)


def calibrate_with_droidcalib(
    frames: Path, width_px: int, height_px: int, bent: bool, stride: int, config: ToolConfig
) -> Lens:
    """The camera of a folder of images of a moving camera.

    Args:
        frames: numbered JPEG files.
        width_px: of the images.
        height_px: of the images.
        bent: look for the lens' distortion, too; otherwise only for a focal length.
        stride: every how many-th image is used.
        config: where DroidCalib is installed.

    Raises:
        MissingModelError: something that it needs is not there.
        EstimatorFailedError: it gave nothing.
    """
    folder = DROIDCALIB.found(config)
    printed = run_program(DROIDCALIB, config, [
        "demo.py", "--imagedir", str(frames), "--opt_intr", "--camera_model", "mei" if bent else "focal",
        "--stride", str(stride), "--weights", str(folder / "droidcalib.pth"),
    ], folder)  # fmt: skip
    return read_droidcalib(printed, width_px, height_px)


def read_droidcalib(printed: str, width_px: int, height_px: int) -> Lens:
    """The camera that DroidCalib printed.

    Args:
        printed: Its output.
        width_px: Of the video.
        height_px: Of the video.

    Raises:
        EstimatorFailedError: it printed none.
    """
    match = _ANSWER.search(printed)
    if match is None:
        raise EstimatorFailedError(DROIDCALIB.name, f"it printed no intrinsics: {printed.strip()[-300:]}")
    *pinhole, xi = match.groups()
    numbers = tuple(float(value) for value in pinhole)
    if min(numbers[:2]) <= 0:
        raise EstimatorFailedError(DROIDCALIB.name, f"a focal length of {numbers[:2]} pixels cannot be")
    if xi is None:
        return Lens(LensKind.PINHOLE, width_px, height_px, numbers, "DroidCalib")
    return Lens(LensKind.UNIFIED, width_px, height_px, (*numbers, float(xi)), "DroidCalib")
