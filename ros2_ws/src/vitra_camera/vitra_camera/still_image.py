"""Whether a camera delivers one and the same image again and again: frozen, though its stamps go on."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

_STRIDE = 8


class StillImage:
    """Sensor noise makes every true image a new one, so equal pixels for a while mean that none is taken any more.

    Args:
        limit_s: How long the pixels may stay the same; 0: for ever.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._fingerprint: int | None = None
        self._since_s = 0.0

    def restart(self) -> None:
        """The camera was opened anew."""
        self._fingerprint = None

    def problem(self, image: NDArray[np.uint8], now_s: float) -> str:
        """What is wrong with this image (H, W, 3), in words, or an empty text."""
        fingerprint = zlib.crc32(np.ascontiguousarray(image[::_STRIDE, ::_STRIDE]).data)
        if fingerprint != self._fingerprint:
            self._fingerprint, self._since_s = fingerprint, now_s
        still_s = now_s - self._since_s
        if not 0.0 < self._limit_s < still_s:
            return ""
        return f"the camera has delivered the same image for {still_s:.1f} s: it is frozen, or its lens is covered"
