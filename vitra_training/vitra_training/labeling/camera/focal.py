"""How long a camera's focal length is, how sure that is, and who says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vitra_training.labeling.ingest.stage import IngestedVideo

ASSUMED_FOV_RAD = float(np.radians(75.0))
_ASSUMED_SIGMA = 0.25

SOURCES = ("given", "lens", "MegaSaM", "DroidCalib", "structure", "MoGe-2", "DeepCalib", "assumed")
"""From the most to the least trusted; clips of one video follow the best of them."""


@dataclass(frozen=True, slots=True)
class Focal:
    """A focal length."""

    px: float
    """In pixels of the video."""
    sigma_share: float
    source: str
    """One of `SOURCES`."""


def known_focal(video: IngestedVideo, given_px: float | None) -> Focal | None:
    """What is known before anything is estimated."""
    if given_px:
        return Focal(given_px, 0.0, "given")
    return Focal(video.focal_px, 0.0, "lens") if video.focal_px else None


def assumed_focal(video: IngestedVideo) -> Focal:
    """That of a usual wide head camera."""
    return Focal(max(video.width_px, video.height_px) / 2 / np.tan(ASSUMED_FOV_RAD / 2), _ASSUMED_SIGMA, "assumed")
