"""What an observation may at most be: sizes that cannot exhaust a server, values that a camera or a hand can have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import HAND, SIDES, TRANSLATION
from vitra_policy.errors import VitraError

SIDE_PX = (4, 8192)
"""Shortest and longest side of an image."""
ASPECT_MAX = 8.0
"""Long side over short side; the first resize keeps the aspect, so a strip would become an enormous image."""
INSTRUCTION_MAX = 500
"""Characters; every one may be a token."""
PREFIX_MAX = 64
"""Committed steps."""
EXTRAS_MAX, EXTRA_BYTES_MAX = 64, 2**20
FOV_RAD = (0.01, 3.13)
LARGEST_M, LARGEST_RAD = 10.0, 13.0
"""A hand's coordinates in the camera frame; angles may be wound up twice."""


class InvalidObservationError(VitraError):
    """An observation that no policy can act on."""


def check_image(image: object) -> None:
    """Refuse what is no camera image.

    Raises:
        InvalidObservationError: another type or shape, or a size out of bounds.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InvalidObservationError(f"Observation.image must be uint8 of shape (H, W, 3) RGB, got {got}.")
    check_size("Observation.image", image.shape[1], image.shape[0], InvalidObservationError)


def check_size(what: str, width_px: int, height_px: int, error: type[VitraError]) -> None:
    """Refuse an image whose sides or whose aspect are out of bounds.

    Args:
        what: Which image, for the error.
        width_px: Of the image.
        height_px: Of the image.
        error: What is raised.

    Raises:
        VitraError: out of bounds; of the kind `error`.
    """
    short, long = sorted((width_px, height_px))
    if not (SIDE_PX[0] <= short and long <= SIDE_PX[1] and long <= ASPECT_MAX * short):
        raise error(
            f"{what} is {width_px}x{height_px} px; sides must lie between {SIDE_PX[0]} and {SIDE_PX[1]} px and the "
            f"long one be at most {ASPECT_MAX:g} times the short one."
        )


def check_words(instruction: object) -> None:
    """Refuse an instruction that is no text or too long.

    Raises:
        InvalidObservationError: no text, or too long.
    """
    if not isinstance(instruction, str):
        raise InvalidObservationError(f"Observation.instruction must be text, got {type(instruction).__name__}.")
    if len(instruction) > INSTRUCTION_MAX:
        raise InvalidObservationError(
            f"Observation.instruction has {len(instruction)} characters; at most {INSTRUCTION_MAX} are accepted."
        )


def check_numbers(stamp_s: object, fov_rad: NDArray[np.float64], intrinsics: NDArray[np.float64]) -> None:
    """Refuse a time that is none and a camera that cannot be.

    Args:
        stamp_s: Of the observation, ROS time.
        fov_rad: (2,).
        intrinsics: (3, 3) pixels.

    Raises:
        InvalidObservationError: a number that is not finite, or out of bounds.
    """
    if isinstance(stamp_s, bool) or not isinstance(stamp_s, int | float | np.number) or not math.isfinite(stamp_s):
        raise InvalidObservationError(f"Observation.stamp_s must be a finite number of seconds, got {stamp_s!r}.")
    if not bool(((fov_rad >= FOV_RAD[0]) & (fov_rad <= FOV_RAD[1])).all()):
        raise InvalidObservationError(
            f"Observation.fov_rad is {fov_rad.tolist()}; both angles must lie between {FOV_RAD[0]} and {FOV_RAD[1]}."
        )
    if not np.isfinite(intrinsics).all():
        raise InvalidObservationError("Observation.intrinsics are not finite.")


def check_hands(what: str, vectors: NDArray[Any], valid: NDArray[np.bool_]) -> None:
    """Refuse coordinates (..., 102) of a hand that counts which no hand has; wrong units are the usual cause.

    Args:
        what: Which vectors, for the error.
        vectors: State or actions.
        valid: (2,), left first.

    Raises:
        InvalidObservationError: not two truth values.
    """
    for side, counts in zip(SIDES, valid, strict=True):
        hand = np.abs(vectors[..., HAND[side]])
        if counts and hand.size and not (hand[..., TRANSLATION].max() <= LARGEST_M and hand.max() <= LARGEST_RAD):
            raise InvalidObservationError(
                f"{what} of the {side} hand reaches {hand.max():.4g}; at most {LARGEST_M:g} m and {LARGEST_RAD:g} rad "
                "are plausible. Units are metres and radians."
            )


def check_extras(extras: Mapping[str, Any]) -> None:
    """Refuse further inputs that are too many or too large.

    Raises:
        InvalidObservationError: too many, or too large.
    """
    if len(extras) > EXTRAS_MAX:
        raise InvalidObservationError(f"Observation has {len(extras)} extras; at most {EXTRAS_MAX} are accepted.")
    for name, value in extras.items():
        size = value.nbytes if isinstance(value, np.ndarray) else len(str(value))
        if size > EXTRA_BYTES_MAX:
            raise InvalidObservationError(f"Extra '{name[:64]}' has {size} bytes; at most {EXTRA_BYTES_MAX}.")
