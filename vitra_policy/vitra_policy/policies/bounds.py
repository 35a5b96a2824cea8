"""What an observation may at most be: sizes that cannot exhaust a server, values that a camera or a hand can have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import HAND, SIDES, TRANSLATION
from vitra_policy.errors import VitraError
from vitra_policy.pinhole import FORM, SKEW_MAX, no_pinhole_because
from vitra_policy.prompt import InstructionError, hands_of

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
FOV_TOLERANCE_RAD = math.radians(1.0)
"""Between a field of view and the intrinsics: rounding to a pixel is less, another camera or a crop is more."""
CENTRE_BEYOND = 1.0
"""By how many image sizes the principal point may lie outside. That of a crop lies where the whole image had it: on the
edge of a half, outside of a quarter that holds a hand. What is farther off is in other units or another image's."""
STAMP_MAX_S = 2.0**31
"""A ROS stamp holds its seconds in 32 bits with a sign; simulated time begins at 0."""
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
    try:
        instruction.encode()
    except UnicodeEncodeError:
        raise InvalidObservationError(f"Observation.instruction {instruction[:60]!r} is no valid Unicode.") from None
    if len(instruction) > INSTRUCTION_MAX:
        raise InvalidObservationError(
            f"Observation.instruction has {len(instruction)} characters; at most {INSTRUCTION_MAX} are accepted."
        )


def check_asked(instruction: str, hands: NDArray[np.bool_]) -> None:
    """Refuse a request that says nothing, or lets a hand move of which its words say that it is idle.

    Args:
        instruction: The words; whose form is not ours is for the policy to judge.
        hands: (2,) left and right, which may move.

    Raises:
        InvalidObservationError: no words, or others than the hands.
    """
    if not any(character.isalnum() for character in instruction):
        raise InvalidObservationError(
            "The request's prompt is empty: say what to do, e.g. 'Left hand: None. Right hand: Pick up the cup.'"
        )
    try:
        named = hands_of(instruction)
    except InstructionError:
        return
    if idle := [side for side, may, does in zip(SIDES, hands, (named.left, named.right), strict=True) if may > does]:
        raise InvalidObservationError(
            f"The request's hands let the {' and the '.join(idle)} hand move, which the prompt '{instruction}' leaves "
            "idle. Send the hands that the prompt names."
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
    if not 0 <= float(stamp_s) < STAMP_MAX_S:
        raise InvalidObservationError(
            f"Observation.stamp_s is {stamp_s!r}; it must be seconds of ROS time, from 0 to below {STAMP_MAX_S:.0f}."
        )
    if not bool(((fov_rad >= FOV_RAD[0]) & (fov_rad <= FOV_RAD[1])).all()):
        raise InvalidObservationError(
            f"Observation.fov_rad is {fov_rad.tolist()}; both angles must lie between {FOV_RAD[0]} and {FOV_RAD[1]}."
        )
    if not np.isfinite(intrinsics).all():
        raise InvalidObservationError("Observation.intrinsics are not finite.")
    focal_px = np.diag(intrinsics)[:2]
    if not (focal_px > 0).all():
        raise InvalidObservationError(
            f"Observation.intrinsics have focal lengths {focal_px.tolist()} px; both must be positive. Is the camera "
            "calibrated?"
        )
    if wrong := no_pinhole_because(intrinsics):
        raise InvalidObservationError(
            f"Observation.intrinsics are no pinhole camera's, which are {FORM} with a skew of at most {SKEW_MAX:g} of "
            f"fx: {wrong}."
        )


def check_camera(
    image: NDArray[np.uint8] | None, intrinsics: NDArray[np.float64], fov_rad: NDArray[np.float64]
) -> None:
    """Refuse a principal point far beyond the image, and a field of view that is not the one of intrinsics and image.

    Without an image nobody can tell the latter; its size is then the one that the field of view says.

    Args:
        image: (H, W, 3), or None.
        intrinsics: (3, 3) pixels.
        fov_rad: (2,) horizontal and vertical.

    Raises:
        InvalidObservationError: out of bounds, or they differ by more than a degree.
    """
    centre_px, focal_px = intrinsics[:2, 2], np.diag(intrinsics)[:2]
    size_px = 2 * focal_px * np.tan(fov_rad / 2)
    if image is not None:
        size_px = np.array([image.shape[1], image.shape[0]], dtype=np.float64)
    beyond_px = CENTRE_BEYOND * size_px
    if not ((centre_px >= -beyond_px) & (centre_px <= size_px + beyond_px)).all():
        raise InvalidObservationError(
            f"Observation.intrinsics have their principal point at {centre_px.round(1).tolist()} px, more than one "
            f"image size outside of the image of {size_px[0]:.0f}x{size_px[1]:.0f} px: allowed are "
            f"{(-beyond_px).round(1).tolist()} to {(size_px + beyond_px).round(1).tolist()}."
        )
    if image is None:
        return
    seen_rad = 2 * np.arctan2(size_px / 2, focal_px)
    if not (np.abs(seen_rad - fov_rad) <= FOV_TOLERANCE_RAD).all():
        raise InvalidObservationError(
            f"Observation.fov_rad is {np.rad2deg(fov_rad).round(1).tolist()} deg, but an image of "
            f"{size_px[0]:.0f}x{size_px[1]:.0f} px with focal lengths {focal_px.round(1).tolist()} px sees "
            f"{np.rad2deg(seen_rad).round(1).tolist()}; at most a degree may lie between. Send fov_rad = "
            "2 atan(size / (2 focal length)) of the image that is sent."
        )


def checked_array(value: object, dtype: type[np.generic], what: str, error: type[VitraError]) -> NDArray[Any]:
    """A value as an array of numbers or truth values; text never becomes one, nor does a truth value become a number.

    Args:
        value: What was given, of any shape (...).
        dtype: `np.bool_`, or a floating type.
        what: Which value, for the error.
        error: What is raised.

    Raises:
        VitraError: it is none; of the kind `error`.
    """
    try:
        given = np.asarray(value)
        if given.dtype.kind not in ("biuf" if dtype is np.bool_ else "iuf") and given.size:
            raise TypeError(f"{str(value):.60} ({given.dtype})")
        if dtype is np.bool_ and not np.isin(given, (0, 1)).all():
            raise TypeError(f"{str(value):.60} are no truth values (true or false, 1 or 0)")
        return given.astype(dtype, copy=False)
    except (TypeError, ValueError, OverflowError) as cause:
        raise error(f"{what} is no array of numbers: {cause}.") from None


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
