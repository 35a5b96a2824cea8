"""The lens: camera matrix and distortion from images of the board, judged on images that were kept out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vitra_calibration.board import Board, Detection
from vitra_calibration.errors import InaccurateError, TooFewSamplesError, TooLittleRotationError
from vitra_calibration.refine import Lens, camera_from_board
from vitra_policy.transforms import rotation_angle

_LEAST_IMAGES = 12
_KEPT_OUT_EVERY = 4
_MOST_ERROR_PX = 1.0
_LEAST_TILT_RAD = np.radians(25.0)
_LEAST_COVER = 0.4


@dataclass(frozen=True, slots=True)
class LensSolution:
    """A lens and why it may be believed.

    Attributes:
        lens: Camera matrix and distortion.
        kept_out_px: Root mean square error of corners in images that were kept out.
        cover: Share of the image's width and height in which corners were seen, the smaller of the two.
    """

    lens: Lens
    kept_out_px: float
    cover: float


def solve_lens(detections: Sequence[Detection], board: Board, size_px: tuple[int, int]) -> LensSolution:
    """Intrinsics from images of one size.

    Args:
        detections: Corners of the board, one of each image.
        board: What was looked at.
        size_px: Width and height of the images.

    Raises:
        TooFewSamplesError: fewer than 12 images.
        TooLittleRotationError: the board was never tilted, or only seen in a part of the image.
        InaccurateError: the error on kept-out images is above a pixel.
    """
    if len(detections) < _LEAST_IMAGES:
        raise TooFewSamplesError(f"{len(detections)} images show the board, needed {_LEAST_IMAGES}.")
    corners = np.concatenate([detection.corners_px for detection in detections])
    cover = float((np.ptp(corners, axis=0) / np.array(size_px)).min())
    if cover < _LEAST_COVER:
        raise TooLittleRotationError(
            f"The board was seen in {cover:.0%} of the image, needed {_LEAST_COVER:.0%}: move it to the corners too."
        )
    kept = [d for i, d in enumerate(detections) if i % _KEPT_OUT_EVERY != 1]
    out = [d for i, d in enumerate(detections) if i % _KEPT_OUT_EVERY == 1]
    judged = _calibrate(kept, board, size_px)
    poses = [camera_from_board(detection, board.corners_m, judged) for detection in detections]
    tilt = max(float(rotation_angle(poses[0][:3, :3].T @ pose[:3, :3])) for pose in poses)
    if tilt < _LEAST_TILT_RAD:
        raise TooLittleRotationError(
            f"The board was tilted by {np.degrees(tilt):.0f} deg at most, needed {np.degrees(_LEAST_TILT_RAD):.0f}: "
            "distance and focal length cannot be told apart."
        )
    squares = [np.mean(np.sum(_errors(detection, board, judged) ** 2, axis=1)) for detection in out]
    kept_out_px = float(np.sqrt(np.mean(squares)))
    if kept_out_px > _MOST_ERROR_PX:
        raise InaccurateError(
            f"Kept-out corners are {kept_out_px:.2f} px off, allowed {_MOST_ERROR_PX:g}: sharp images?"
        )
    return LensSolution(_calibrate(detections, board, size_px), kept_out_px, cover)


def _calibrate(detections: Sequence[Detection], board: Board, size_px: tuple[int, int]) -> Lens:
    points = [board.corners_m[d.ids].astype(np.float32) for d in detections]
    pixels = [d.corners_px.astype(np.float32) for d in detections]
    _, K, distortion, _, _ = cv2.calibrateCamera(points, pixels, size_px, None, None)
    return Lens(np.asarray(K, np.float64), np.asarray(distortion, np.float64).ravel()[:5])


def _errors(detection: Detection, board: Board, lens: Lens) -> np.ndarray:
    pose = camera_from_board(detection, board.corners_m, lens)
    points = board.corners_m[detection.ids] @ pose[:3, :3].T + pose[:3, 3]
    return lens.project(points) - detection.corners_px
