"""WiLoR's hands (Potamias et al. 2024), image by image, as tracks of both hands."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_training.labeling.adapters.bridge import run_bridge, write_frames
from vitra_training.labeling.adapters.mano_hands import Found, tracks_of
from vitra_training.labeling.adapters.tool import WILOR, ToolConfig
from vitra_training.labeling.errors import EstimatorFailedError
from vitra_training.labeling.hands.frames import ClipImages
from vitra_training.labeling.hands.tracks import HandTracks

_MIRROR = np.diag([-1.0, 1.0, 1.0])


def track_with_wilor(clip: ClipImages, focal_px: float, config: ToolConfig) -> HandTracks:
    """Both hands of a clip; gaps stay empty, since WiLoR looks at each image alone.

    Args:
        clip: its images.
        focal_px: of the camera, as far as it is known.
        config: where WiLoR is installed.

    Raises:
        MissingModelError: something that it needs is not there.
        EstimatorFailedError: it gave nothing.
    """
    folder = WILOR.found(config)
    with tempfile.TemporaryDirectory() as work:
        frames, out = Path(work) / "frames", Path(work) / "hands.npz"
        count, width, height = write_frames((clip(n) for n in range(len(clip))), frames)
        run_bridge(WILOR, config, "wilor", {
            "frames": frames, "out": out, "checkpoint": folder / "pretrained_models/wilor_final.ckpt",
            "config": folder / "pretrained_models/model_config.yaml",
            "detector": folder / "pretrained_models/detector.pt",
        }, folder)  # fmt: skip
        found = read_wilor(out, focal_px)
    return tracks_of(found, count, focal_px, width, height, "WiLoR")


def read_wilor(path: Path, focal_px: float) -> list[Found]:
    """What our bridge wrote; distances are brought from WiLoR's own focal length to `focal_px`.

    Raises:
        EstimatorFailedError: nothing, or in another form.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            rows: dict[str, NDArray[np.float64]] = {name: file[name].astype(np.float64) for name in file.files}
        found = []
        for n in range(len(rows["frame"])):
            place = rows["place_m"][n].copy()
            place[2] *= focal_px / rows["focal_px"][n]
            right = rows["right"][n] > 0.5
            orient, fingers = rows["orient"][n], rows["fingers"][n]
            if not right:  # the network sees left hands in the mirror
                orient, fingers = _MIRROR @ orient @ _MIRROR, _MIRROR @ fingers @ _MIRROR
            found.append(Found(int(right), int(rows["frame"][n]), rows["joints_m"][n][:21] + place, orient, fingers,
                               float(rows["score"][n]), True))  # fmt: skip
    except (OSError, ValueError, KeyError, IndexError) as cause:
        raise EstimatorFailedError("WiLoR", f"its output is not what the bridge writes ({cause})") from None
    return found
