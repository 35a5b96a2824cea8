"""An image of the hands' speed with the cuts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vitra_policy.action_space import SIDES

if TYPE_CHECKING:
    from vitra_training.labeling.segmentation.stage import Segments
    from vitra_training.labeling.world.stage import WorldHands


def plot_speed(segments: Segments, world: WorldHands, path: Path) -> None:
    """Write a PNG: speed over time, cuts as lines, bridged stretches grey.

    Args:
        segments: What was found.
        world: Hands of the video.
        path: The PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    time = np.arange(len(world)) / world.fps
    figure = Figure(figsize=(max(6.0, min(0.6 * time[-1], 40.0)), 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 1, sharex=True)
    for row, (side, axis) in enumerate(zip(SIDES, axes, strict=True)):
        speed = np.where(world.valid[row], segments.speed_m_s[row], np.nan)
        axis.plot(time, speed, linewidth=1.0)
        axis.fill_between(
            time, 0, 1, where=world.valid[row] & ~world.seen[row], transform=axis.get_xaxis_transform(), color="0.85"
        )
        for cut in segments.cuts[row]:
            axis.axvline(cut / world.fps, color="C3", linewidth=0.8)
        axis.set_ylabel(f"{side} wrist, m/s")
        axis.set_ylim(bottom=0)
    axes[1].set_xlabel("s (red: cuts; grey: bridged, not seen)")
    figure.savefig(path, dpi=90)
