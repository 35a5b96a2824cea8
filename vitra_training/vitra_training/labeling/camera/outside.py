"""Focal length, depth and path of a clip by estimators that others trained."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from vitra_training.datasets.video import Image
from vitra_training.labeling.adapters.bridge import write_frames
from vitra_training.labeling.adapters.deepcalib import calibrate_with_deepcalib
from vitra_training.labeling.adapters.droidcalib import calibrate_with_droidcalib
from vitra_training.labeling.adapters.megasam import ImageFolder, MegaSamCamera, path_with_megasam
from vitra_training.labeling.adapters.moge import MetricDepth, depth_with_moge
from vitra_training.labeling.adapters.tool import DEEPCALIB, DROIDCALIB, MEGASAM, MOGE, Tool, ToolConfig
from vitra_training.labeling.camera.focal import Focal
from vitra_training.labeling.ingest.stage import IngestedVideo


class PathBy(StrEnum):
    """Who finds the path of a moving camera."""

    COLMAP = "colmap"
    """Tracked points and COLMAP's mapper, on a CPU."""
    MEGASAM = "megasam"
    """MegaSaM with MoGe-2's depth, as in the paper."""


class MovingFocalBy(StrEnum):
    """Who finds the focal length of a moving camera."""

    STRUCTURE = "structure"
    """Together with the path."""
    DROIDCALIB = "droidcalib"
    """As in the paper."""


class StillFocalBy(StrEnum):
    """Who finds the focal length of a still camera."""

    ASSUMED = "assumed"
    """Nobody: 75 degrees are assumed."""
    MOGE = "moge"
    """MoGe-2, as in the paper."""
    DEEPCALIB = "deepcalib"
    """DeepCalib, as in the paper."""


class ScaleBy(StrEnum):
    """What tells metres of a path that tracked points gave (MegaSaM's has them from MoGe-2)."""

    HANDS = "hands"
    """The size of hands."""
    MOGE = "moge"
    """MoGe-2's depth."""


@dataclass(frozen=True, slots=True)
class OutsideConfig:
    """Who finds what, and where the estimators are installed."""

    path: PathBy = PathBy.COLMAP
    moving_focal: MovingFocalBy = MovingFocalBy.STRUCTURE
    still_focal: StillFocalBy = StillFocalBy.ASSUMED
    scale: ScaleBy = ScaleBy.HANDS
    every: int = 10
    """Every how many-th frame MoGe-2 and DeepCalib look at."""
    megasam: ToolConfig = field(default_factory=ToolConfig)
    moge: ToolConfig = field(default_factory=ToolConfig)
    droidcalib: ToolConfig = field(default_factory=ToolConfig)
    deepcalib: ToolConfig = field(default_factory=ToolConfig)

    @property
    def asked(self) -> tuple[tuple[Tool, ToolConfig], ...]:
        """The estimators that are asked, and where they are."""
        megasam = self.path is PathBy.MEGASAM
        all_of_them = (
            (megasam, MEGASAM, self.megasam),
            (megasam or self.still_focal is StillFocalBy.MOGE or self.scale is ScaleBy.MOGE, MOGE, self.moge),
            (self.moving_focal is MovingFocalBy.DROIDCALIB, DROIDCALIB, self.droidcalib),
            (self.still_focal is StillFocalBy.DEEPCALIB, DEEPCALIB, self.deepcalib),
        )
        return tuple((tool, config) for wanted, tool, config in all_of_them if wanted)


@dataclass(frozen=True, slots=True)
class Outside:
    """What outside estimators said of a clip; None where they were not asked."""

    focal: Focal | None = None
    depth: MetricDepth | None = None
    path: MegaSamCamera | None = None


def ask(
    images: Iterable[Image | None], video: IngestedVideo, moving: bool, known: Focal | None, config: OutsideConfig
) -> Outside:
    """Ask those that the configuration names.

    Args:
        images: of the clip.
        video: the video.
        moving: whether the camera moves.
        known: its focal length, where that need not be asked.
        config: who is asked.

    Raises:
        MissingModelError: something that an estimator needs is not there.
        EstimatorFailedError: it gave nothing.
    """
    path = moving and config.path is PathBy.MEGASAM
    droid = moving and known is None and config.moving_focal is MovingFocalBy.DROIDCALIB
    moge_focal = not moving and known is None and config.still_focal is StillFocalBy.MOGE
    deep = not moving and known is None and config.still_focal is StillFocalBy.DEEPCALIB
    depths = path or moge_focal or (moving and config.scale is ScaleBy.MOGE)
    if not (path or droid or deep or depths):
        return Outside(known)
    with tempfile.TemporaryDirectory() as folder:
        work, frames = Path(folder), Path(folder) / "frames"
        count, width, height = write_frames(images, frames)
        focal = known
        if droid:
            lens = calibrate_with_droidcalib(frames, width, height, False, 2, config.droidcalib)
            focal = Focal(lens.focal_px[0] * video.width_px / width, 0.03, "DroidCalib")
        if deep:
            lens, spread = calibrate_with_deepcalib(frames, width, height, config.every, config.deepcalib, work)
            focal = Focal(lens.focal_px[0] * video.width_px / width, max(spread, 0.1), "DeepCalib")
        depth = depth_with_moge(frames, config.every, config.moge, work) if depths else None
        if moge_focal and depth is not None:
            px, spread = depth.median_focal_px(video.width_px)
            focal = Focal(px, max(spread, 0.05), "MoGe-2")
        if not path or depth is None:
            return Outside(focal, depth)
        start = focal.px * width / video.width_px if focal else depth.median_focal_px(width)[0]
        found = path_with_megasam(ImageFolder(frames, count, width), depth, start, config.megasam, work)
        if focal is None or focal.source == "DroidCalib":  # MegaSaM refines what it was started with
            focal = Focal(found.focal_px * video.width_px / width, 0.03, "MegaSaM")
        return Outside(focal, depth, found)
