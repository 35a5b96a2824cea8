"""MegaSaM's camera path (Li et al. 2025), fed with MoGe-2's depth as in the paper, in metres."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_training.labeling.adapters.bridge import run_program
from vitra_training.labeling.adapters.moge import MetricDepth
from vitra_training.labeling.adapters.tool import MEGASAM, ToolConfig
from vitra_training.labeling.errors import EstimatorFailedError

Array = NDArray[np.float64]

LONGEST = 1000
"""Frames: MegaSaM's script writes no more."""


@dataclass(frozen=True, slots=True)
class MegaSamCamera:
    """A camera path."""

    camera_from_world: Array
    """(T, 4, 4) metres; the world is that of the first camera."""
    focal_px: float
    """Of the images that it was given."""
    scale_sigma_share: float
    """Spread of metric over relative depth from frame to frame."""


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """A clip as a folder of numbered JPEG files."""

    path: Path
    count: int
    width_px: int


def path_with_megasam(
    clip: ImageFolder, depth: MetricDepth, focal_px: float, config: ToolConfig, work: Path
) -> MegaSamCamera:
    """The camera path of a folder of images.

    Args:
        clip: the images.
        depth: of some of them; between these the nearest one's is used.
        focal_px: the start of MegaSaM's own estimate.
        config: where MegaSaM is installed.
        work: folder for its files.

    Raises:
        MissingModelError: something that it needs is not there.
        EstimatorFailedError: it gave nothing.
    """
    folder, count, width_px = MEGASAM.found(config), clip.count, clip.width_px
    if count > LONGEST:
        raise EstimatorFailedError(
            MEGASAM.name,
            f"{count} frames are more than the {LONGEST} that it writes; cut clips shorter (--config.ingest.clip-s)",
        )
    # Its script knows its modules and its output folder by relative paths: it runs beside links to the checkout.
    here = work / "megasam"
    here.mkdir()
    for part in ("base", "camera_tracking_scripts"):
        if (folder / part).exists():
            (here / part).symlink_to(folder / part)
    nearest = np.abs(depth.frames[None] - np.arange(count)[:, None]).argmin(axis=1)
    fov_deg = float(np.degrees(2 * np.arctan(width_px / 2 / focal_px)))
    for name in ("mono", "metric"):
        (here / name / "clip").mkdir(parents=True)
    for n in range(count):
        metres = np.where(np.isfinite(depth.depth_m[nearest[n]]), depth.depth_m[nearest[n]], 1e3).astype(np.float32)
        np.save(here / f"mono/clip/{n:06d}.npy", 1 / np.maximum(metres, 1e-3))
        np.savez(here / f"metric/clip/{n:06d}.npz", depth=metres, fov=fov_deg)
    run_program(MEGASAM, config, [
        "camera_tracking_scripts/test_demo.py", "--datapath", str(clip.path), "--scene_name", "clip", "--disable_vis",
        "--weights", str(folder / "checkpoints/megasam_final.pth"), "--mono_depth_path", "mono",
        "--metric_depth_path", "metric",
    ], here)  # fmt: skip
    return read_megasam(here / "outputs/clip_droid.npz", count, width_px, depth)


def read_megasam(path: Path, count: int, width_px: int, depth: MetricDepth) -> MegaSamCamera:
    """MegaSaM's result file: `cam_c2w` (T, 4, 4), `depths` (T, h, w), `intrinsic` (3, 3) for images of w x h.

    Args:
        path: The `.npz`.
        count: Frames there must be.
        width_px: Of the clip.
        depth: Gives the scale in metres.

    Raises:
        EstimatorFailedError: nothing, or in another form.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            world_from_camera = file["cam_c2w"].astype(np.float64)
            depths, K = file["depths"].astype(np.float64), file["intrinsic"].astype(np.float64)
    except (OSError, ValueError, KeyError) as cause:
        raise EstimatorFailedError(MEGASAM.name, f"its output is not what it writes ({cause})") from None
    if world_from_camera.shape != (count, 4, 4) or not np.isfinite(world_from_camera).all() or K.shape != (3, 3):
        raise EstimatorFailedError(MEGASAM.name, f"{count} poses expected, its path is {world_from_camera.shape}")
    ratios = []
    for frame, metric in zip(depth.frames, depth.depth_m, strict=True):
        small = cv2.resize(metric, depths.shape[:0:-1], interpolation=cv2.INTER_NEAREST)
        usable = np.isfinite(small) & (small > 0) & (depths[frame] > 0) & np.isfinite(depths[frame])
        if usable.any():
            ratios.append(float(np.median(small[usable] / depths[frame][usable])))
    if not ratios:
        raise EstimatorFailedError(MEGASAM.name, "no depth to take the scale from")
    metres = float(np.median(ratios))
    spread = 1.4826 * float(np.median(np.abs(np.array(ratios) - metres))) / metres
    path_in_first = np.linalg.inv(world_from_camera) @ world_from_camera[0]
    path_in_first[:, :3, 3] *= metres
    return MegaSamCamera(path_in_first, float(K[0, 0]) * width_px / depths.shape[2], spread)
