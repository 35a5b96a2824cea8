"""One pose of a calibration: the joints of both arms and the board's corners; a session is a folder of them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_calibration.board import Board, Detection
from vitra_calibration.errors import SessionError

Array = NDArray[np.float64]
_FILE = "samples.json"


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured while the arm stood still.

    Attributes:
        joints_rad: (7,) by side, of all arms that reported.
        detection: The board in the image.
    """

    joints_rad: dict[str, Array]
    detection: Detection


@dataclass(frozen=True, slots=True)
class CalibrationSession:
    """Samples of one board on one arm.

    Attributes:
        side: Arm that carries the board.
        board: Its geometry.
        size_px: Width and height of the images.
        camera_matrix: K that the camera reports, 3 x 3.
        distortion: Its coefficients (plumb bob), 5.
        samples: What was measured.
        hand_serials: Serial numbers of the hands by side, where known.
    """

    side: str
    board: Board
    size_px: tuple[int, int]
    camera_matrix: Array
    distortion: Array
    samples: tuple[Sample, ...]
    hand_serials: dict[str, str]

    def save(self, folder: Path) -> Path:
        """Write the session; the file appears complete or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            "side": self.side, "board": asdict(self.board), "size_px": list(self.size_px),
            "camera_matrix": self.camera_matrix.tolist(), "distortion": self.distortion.tolist(),
            "hand_serials": self.hand_serials,
            "samples": [
                {
                    "joints_rad": {side: q.tolist() for side, q in sample.joints_rad.items()},
                    "ids": sample.detection.ids.tolist(), "corners_px": sample.detection.corners_px.tolist(),
                }
                for sample in self.samples
            ],
        }  # fmt: skip
        path, partial = folder / _FILE, folder / f"{_FILE}.partial"
        partial.write_text(json.dumps(content))
        os.replace(partial, path)
        return path


def load_session(folder: Path) -> CalibrationSession:
    """Read a session.

    Raises:
        SessionError: no such folder, or no session in it.
    """
    try:
        raw = json.loads((folder / _FILE).read_text())
        return CalibrationSession(
            side=str(raw["side"]),
            board=Board(**raw["board"]),
            size_px=(int(raw["size_px"][0]), int(raw["size_px"][1])),
            camera_matrix=np.array(raw["camera_matrix"], dtype=np.float64).reshape(3, 3),
            distortion=np.array(raw["distortion"], dtype=np.float64),
            samples=tuple(_sample(entry) for entry in raw["samples"]),
            hand_serials={str(k): str(v) for k, v in raw.get("hand_serials", {}).items()},
        )
    except (OSError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise SessionError(f"{folder} holds no samples ({error}). vitra-calibrate collect --out {folder}") from error


def _sample(entry: dict[str, Sequence[float]]) -> Sample:
    joints = entry["joints_rad"]
    assert isinstance(joints, dict)
    detection = Detection(np.array(entry["ids"], dtype=np.int64), np.array(entry["corners_px"], dtype=np.float64))
    return Sample({side: np.array(q, dtype=np.float64).reshape(7) for side, q in joints.items()}, detection)
