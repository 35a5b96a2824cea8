"""The ChArUco board: its geometry, its image for the printer, and finding it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_DICTIONARY = cv2.aruco.DICT_4X4_50
_LEAST_CORNERS = 8
_MM_PER_INCH = 25.4


@dataclass(frozen=True, slots=True)
class Detection:
    """Corners of the board in one image.

    Attributes:
        ids: (n,) numbers of the inner corners.
        corners_px: (n, 2) where they are.
    """

    ids: NDArray[np.int64]
    corners_px: Array


@dataclass(frozen=True, slots=True)
class Board:
    """A ChArUco board of 4x4 markers. Its frame: origin in a corner, x along the columns, z into the board.

    Its squares are large, since a head camera of 640 x 480 pixels sees it from 0.5 to 0.9 m.

    Attributes:
        columns: Squares in x.
        rows: Squares in y.
        square_m: Side of a square: measure it on the print.
        marker_m: Side of a marker.
    """

    columns: int = 7
    rows: int = 5
    square_m: float = 0.03
    marker_m: float = 0.023

    @property
    def size_m(self) -> tuple[float, float]:
        """Width and height."""
        return self.columns * self.square_m, self.rows * self.square_m

    @property
    def corners_m(self) -> Array:
        """Inner corners in the board's frame, shape (N, 3)."""
        return np.asarray(self._charuco().getChessboardCorners(), dtype=np.float64)

    def image(self, dots_per_inch: int = 300) -> NDArray[np.uint8]:
        """The board for the printer (H, W), without a margin: print at 100 %, then measure a square."""
        scale = dots_per_inch / _MM_PER_INCH * 1e3
        size = tuple(round(length * scale) for length in self.size_m)
        return np.asarray(self._charuco().generateImage(size), dtype=np.uint8)

    def detect(self, image: NDArray[np.uint8]) -> Detection | None:
        """The board's corners to fractions of a pixel; None where too few are seen.

        Args:
            image: (H, W, 3) RGB or (H, W) grey.
        """
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        parameters = cv2.aruco.DetectorParameters()
        parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
        detector = cv2.aruco.CharucoDetector(self._charuco(), cv2.aruco.CharucoParameters(), parameters)
        corners, ids, _, _ = detector.detectBoard(np.ascontiguousarray(grey))
        if ids is None or len(ids) < _LEAST_CORNERS:
            return None
        return Detection(np.asarray(ids).ravel().astype(np.int64), np.asarray(corners, np.float64).reshape(-1, 2))

    def _charuco(self) -> cv2.aruco.CharucoBoard:
        dictionary = cv2.aruco.getPredefinedDictionary(_DICTIONARY)
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square_m, self.marker_m, dictionary)
