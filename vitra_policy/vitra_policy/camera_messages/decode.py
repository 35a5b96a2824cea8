"""RGB images of camera messages that stand by themselves: raw rows, JPEG, PNG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_policy.errors import UnknownNameError, VitraError

Image = NDArray[np.uint8]

CHANNELS: Mapping[str, tuple[int, tuple[int, ...]]] = {
    "rgb8": (3, (0, 1, 2)),
    "bgr8": (3, (2, 1, 0)),
    "rgba8": (4, (0, 1, 2)),
    "bgra8": (4, (2, 1, 0)),
    "mono8": (1, (0, 0, 0)),
}
"""Encoding of sensor_msgs/Image -> its channels, and which of them are red, green and blue."""
_JPEG, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND"
_TAIL_BYTES = 64


class ImageMessageError(VitraError):
    """A camera message that holds no whole image."""


def raw_image(height_px: int, width_px: int, step: int, encoding: str, data: Any) -> Image:
    """RGB image (H, W, 3) of the rows of a sensor_msgs/Image; no copy for rgb8.

    Args:
        height_px: rows.
        width_px: pixels of a row.
        step: bytes of a row with its padding.
        encoding: one of `CHANNELS`.
        data: bytes, or a uint8 array.

    Raises:
        UnknownNameError: another encoding.
        ImageMessageError: sizes that do not belong together.
    """
    if encoding not in CHANNELS:
        raise UnknownNameError("image encoding", encoding, CHANNELS)
    channels, order = CHANNELS[encoding]
    flat = np.frombuffer(data, dtype=np.uint8)
    if min(height_px, width_px) < 1 or step < width_px * channels or flat.size != height_px * step:
        raise ImageMessageError(
            f"Image of {width_px}x{height_px} {encoding}, step {step}, cannot have {flat.size} bytes."
        )
    pixels = flat.reshape(height_px, step)[:, : width_px * channels].reshape(height_px, width_px, channels)
    return pixels if encoding == "rgb8" else pixels[:, :, order]


def compressed_image(data: Any) -> Image:
    """RGB image (H, W, 3) of a JPEG or PNG, grey ones with three equal channels.

    Raises:
        ImageMessageError: neither, or damaged.
    """
    import cv2

    check_whole(data)
    decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise ImageMessageError(f"A compressed image of {len(data)} bytes cannot be decoded: it is damaged.")
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def check_whole(data: Any) -> None:
    """See that compressed data begin and end as a JPEG or PNG does; costs no decoding.

    Raises:
        ImageMessageError: they do not. (A decoder paints what is missing grey and says nothing.)
    """
    head, tail = bytes(data[: len(_PNG)]), bytes(data[-_TAIL_BYTES:])
    if head.startswith(_JPEG):
        whole = _JPEG_END in tail
    elif head == _PNG:
        whole = _PNG_END in tail
    else:
        raise ImageMessageError(f"A compressed image must be JPEG or PNG; this one begins with {head.hex(' ')}.")
    if not whole:
        raise ImageMessageError(f"A compressed image of {len(data)} bytes is cut off.")


def image_of(message: Any) -> Image:
    """RGB image (H, W, 3) of an Image or CompressedImage message.

    Raises:
        UnknownNameError: an encoding that is no colour image.
        ImageMessageError: not a whole image.
    """
    if hasattr(message, "format"):
        return compressed_image(message.data)
    return raw_image(message.height, message.width, message.step, message.encoding, message.data)


def stamp_ns(message: Any) -> int:
    """Time of capture of any camera message [ns]."""
    stamp = message.header.stamp if hasattr(message, "header") else message.timestamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
