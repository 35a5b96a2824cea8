"""HaWoR's hands (Zhang et al. 2025) as tracks of both hands."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import FINGERS_DIM, SIDES
from vitra_training.datasets.errors import DatasetError
from vitra_training.datasets.formats.safe_pickle import load_npy_dict
from vitra_training.labeling.adapters.bridge import run_bridge, write_frames
from vitra_training.labeling.adapters.mano_hands import Found, tracks_of
from vitra_training.labeling.adapters.tool import HAWOR, ToolConfig
from vitra_training.labeling.errors import EstimatorFailedError
from vitra_training.labeling.hands.frames import ClipImages
from vitra_training.labeling.hands.tracks import HandTracks

Array = NDArray[np.float64]

_CHUNK = re.compile(r"(\d+)_(\d+)\.json")
_UNDETECTED = 0.4
"""Confidence of a frame between detections: HaWoR looked, at a place that was only interpolated."""


def track_with_hawor(clip: ClipImages, focal_px: float, config: ToolConfig) -> HandTracks:
    """Both hands of a clip.

    Args:
        clip: its images.
        focal_px: what HaWoR is told; distances are corrected once the true one is known.
        config: where HaWoR is installed.

    Raises:
        MissingModelError: something that it needs is not there.
        EstimatorFailedError: it gave nothing.
    """
    folder = HAWOR.found(config)
    with tempfile.TemporaryDirectory() as work:
        sequence = Path(work) / "clip"
        _, width, height = write_frames(
            (clip(n) for n in range(len(clip))), sequence / "extracted_images", "{:04d}.jpg"
        )
        run_bridge(HAWOR, config, "hawor", {
            "video": sequence.with_suffix(".mp4"), "focal": focal_px,
            "checkpoint": folder / "weights/hawor/checkpoints/hawor.ckpt",
        }, folder)  # fmt: skip
        found = read_hawor(sequence, len(clip))
    return tracks_of(found, len(clip), focal_px, width, height, "HaWoR")


def read_hawor(sequence: Path, frames: int) -> list[Found]:
    """What HaWoR wrote for a clip: `cam_space/{0 left, 1 right}/{first}_{last}.json`, with our bridge's joints.

    Raises:
        EstimatorFailedError: nothing, or in another form.
    """
    try:
        scores = _scores(sequence, frames)
        found: list[Found] = []
        for row in range(len(SIDES)):
            for path in sorted((sequence / "cam_space" / str(row)).glob("*.json")):
                match = _CHUNK.fullmatch(path.name)
                if match is None:
                    continue
                first, last = map(int, match.groups())
                content = {
                    key: np.array(value, dtype=np.float64)[0] for key, value in json.loads(path.read_text()).items()
                }
                joints = np.load(path.with_suffix(".joints.npy"), allow_pickle=False).astype(np.float64)
                count = last - first + 1
                orient = content["init_root_orient"].reshape(count, 3, 3)
                fingers = content["init_hand_pose"].reshape(count, FINGERS_DIM // 3, 3, 3)
                for n in range(count):
                    if first + n >= frames:
                        continue
                    score = float(scores[row, first + n])
                    found.append(Found(row, first + n, joints[n, :21], orient[n], fingers[n], score or _UNDETECTED,
                                       score > 0))  # fmt: skip
    except (DatasetError, OSError, ValueError, KeyError, IndexError, TypeError, OverflowError) as cause:
        raise EstimatorFailedError("HaWoR", f"its output is not what it writes ({cause})") from None
    return found


def _scores(sequence: Path, frames: int) -> Array:
    """The detector's scores (2, frames), 0 where a hand was not detected, of HaWoR's pickled `model_tracks.npy`."""
    (path,) = sequence.glob("tracks_*/model_tracks.npy")
    scores = np.zeros((len(SIDES), frames))
    for track in load_npy_dict(path).values():
        side = int(np.mean([np.ravel(one["det_handedness"])[0] for one in track]) >= 0.5)
        for one in track:
            frame = int(one["frame"])
            if one["det"] and frame < frames:
                scores[side, frame] = max(scores[side, frame], float(np.ravel(one["det_box"])[4]))
    return scores
