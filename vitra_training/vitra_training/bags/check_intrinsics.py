"""Judges the intrinsics of a bag's camera: of these images, of a pinhole camera, and those it was calibrated with."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from vitra_description.calibration import CalibrationError
from vitra_training.bags.content import BagContent
from vitra_training.bags.observations import calibration_of_file
from vitra_training.bags.streams import BagStreams
from vitra_training.datasets.episode import Array
from vitra_training.datasets.findings import Finding, Level

ERROR, WARNING = Level.ERROR, Level.WARNING
_SHIFT_PX = 2.0
"""Labels and training take the camera for a pinhole; that moves no hand in the image by more than its labels err."""
_APART = 0.03
"""Share of the focal length, or of the image's size. The file may hold what the maker says of all cameras of a kind,
from which single ones differ by 2 %; another camera, stream or zoom differs by more."""
_SAME_SHAPE = 0.01
"""Share by which width to height may differ for images of another size to show the same."""
_FISHEYE = "equidistant"
_POLYNOMIAL = ("plumb_bob", "rational_polynomial", "")
_MOST_COEFFICIENTS = 14


def intrinsics(bag: BagStreams, content: BagContent) -> Iterator[Finding]:
    """What is wrong with a camera's intrinsics, or doubtful.

    Args:
        bag: Sizes of its images and the calibration file in it.
        content: What the camera reports.
    """
    if content.intrinsics is None:
        return
    said, sizes = content.size_px, [size for _, size in bag.image_sizes]
    if sizes and said not in sizes:
        (width, height), (of_width, of_height) = sizes[0], said
        yield Finding(
            ERROR, "intrinsics", f"camera_info is of {of_width}x{of_height} images, these are {width}x{height}"
        )
    yield from _lens(content.intrinsics, said, *content.distortion)
    yield from _of_file(bag, content.intrinsics, said)


def _lens(K: Array, size_px: tuple[int, int], model: str, coefficients: tuple[float, ...]) -> Iterator[Finding]:
    """A lens that bends the image: only warned of, for a few pixels shift labels and spoil no motion."""
    if not any(coefficients) and model != _FISHEYE:  # which bends without any
        return
    if not np.isfinite(coefficients).all():
        yield Finding(ERROR, "intrinsics", "the lens's coefficients of distortion are NaN or infinite")
    elif len(coefficients) > _MOST_COEFFICIENTS or model not in (_FISHEYE, *_POLYNOMIAL):
        yield Finding(WARNING, "intrinsics", f"the lens is of model '{model}', which nothing here rectifies")
    elif (shift_px := corner_shift_px(K, size_px, model, coefficients)) > _SHIFT_PX:
        yield Finding(
            WARNING, "intrinsics", f"the lens ({model or 'plumb_bob'}) moves a corner of the image by {shift_px:.1f} "
            f"px, more than {_SHIFT_PX:g}: labels take it for a pinhole camera's. Record rectified images",
        )  # fmt: skip


def corner_shift_px(K: Array, size_px: tuple[int, int], model: str, coefficients: tuple[float, ...]) -> float:
    """How far a lens moves that corner of the image that it moves most.

    Args:
        K: (3, 3) px.
        size_px: Width and height.
        model: Name of ROS; a fisheye is `equidistant`, others are polynomials of OpenCV.
        coefficients: At most 14.
    """
    width, height = size_px
    corners = np.array([[0.0, 0.0], [width, 0.0], [0.0, height], [width, height]])
    with np.errstate(all="ignore"):  # of intrinsics that are none, which are named elsewhere
        rays = (corners - K[:2, 2]) / K[[0, 1], [0, 1]]
    if not np.isfinite(rays).all():
        return 0.0
    if model == _FISHEYE:
        d = np.zeros(4)
        d[: min(len(coefficients), 4)] = coefficients[:4]
        bent = cv2.fisheye.distortPoints(rays[:, None], K, d)[:, 0]
    else:
        d = np.zeros(_MOST_COEFFICIENTS)
        d[: len(coefficients)] = coefficients
        bent = cv2.projectPoints(np.concatenate([rays, np.ones((4, 1))], axis=1), np.zeros(3), np.zeros(3), K, d)[0]
    return float(np.linalg.norm(bent.reshape(4, 2) - corners, axis=1).max())


def _of_file(bag: BagStreams, K: Array, size_px: tuple[int, int]) -> Iterator[Finding]:
    """Warned of: two estimates of one camera may differ, and labels are made with what the camera reports."""
    try:
        kept = calibration_of_file(bag.path)
    except CalibrationError:
        return  # named with the frames
    width, height = size_px
    if kept is None or width <= 0 or height <= 0:
        return
    camera = kept.head_camera
    scale = width / camera.width_px
    if abs(scale * camera.height_px / height - 1) > _SAME_SHAPE:
        return  # cut out of the sensor otherwise, so nothing can be compared
    expected = np.array([camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px]) * scale
    found = K[[0, 1, 0, 1], [0, 1, 2, 2]]
    apart = np.abs(found - expected) / [expected[0], expected[1], width, height]
    if not apart.max() <= _APART:
        said, noted = (", ".join(f"{n} {v:.1f}" for n, v in zip(("fx", "fy", "cx", "cy"), values, strict=True))
                       for values in (found, expected))  # fmt: skip
        yield Finding(
            WARNING, "intrinsics", f"camera_info says {said} px, the calibration file in the bag {noted} px for that "
            f"size: {apart.max():.1%} apart. Is it the camera that was calibrated?",
        )  # fmt: skip
