"""Takes a sample by itself whenever the arm stands still in a new pose and the board is seen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vitra_calibration.board import Board, Detection
from vitra_calibration.sample import Sample

Array = NDArray[np.float64]
_STILL_RAD = np.radians(0.05)
_STILL_S = 0.6
_NEW_RAD = np.radians(6.0)
_SHARP_PX = 0.5


class Collector:
    """Samples of one arm; the arm is led by hand (drag mode) or driven, it does not matter.

    Args:
        side: Arm that carries the board.
        board: Its geometry.
        wanted: How many samples.
    """

    def __init__(self, side: str, board: Board, wanted: int) -> None:
        self._side, self._board, self._wanted = side, board, wanted
        self.samples: list[Sample] = []
        self._rest_rad: Array | None = None
        self._rest_s = 0.0
        self._before: Detection | None = None

    @property
    def is_complete(self) -> bool:
        """Whether there are enough samples."""
        return len(self.samples) >= self._wanted

    def offer(self, joints_rad: Mapping[str, Array], image: NDArray[np.uint8], now_s: float) -> str:
        """Look at the arms' joints and an image of the same moment; says what is missing, or what was taken.

        Args:
            joints_rad: (7,) by side.
            image: (H, W, 3) RGB.
            now_s: Monotonic time.
        """
        if self._side not in joints_rad:
            return f"no joints of the {self._side} arm"
        q = np.asarray(joints_rad[self._side])
        if self._rest_rad is None or np.abs(q - self._rest_rad).max() > _STILL_RAD:
            self._rest_rad, self._rest_s, self._before = q.copy(), now_s, None
            return "the arm moves"
        if any(np.abs(q - sample.joints_rad[self._side]).max() < _NEW_RAD for sample in self.samples):
            return f"{len(self.samples)} of {self._wanted}: go on to the next pose"
        if now_s - self._rest_s < _STILL_S:
            return "hold still"
        detection = self._board.detect(image)
        if detection is None:
            self._before = None
            return "the board is not seen"
        if not self._is_settled(detection):
            return "hold still: the image still moves"
        self.samples.append(Sample({side: np.array(values) for side, values in joints_rad.items()}, detection))
        return f"{len(self.samples)} of {self._wanted} taken, {len(detection.ids)} corners"

    def _is_settled(self, detection: Detection) -> bool:
        """The image lags behind the joints: two images in a row must agree."""
        before, self._before = self._before, detection
        if before is None or len(before.ids) != len(detection.ids) or (before.ids != detection.ids).any():
            return False
        return bool(np.abs(before.corners_px - detection.corners_px).max() < _SHARP_PX)
