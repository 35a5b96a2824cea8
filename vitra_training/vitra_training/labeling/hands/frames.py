"""The images of a clip at hand in any order, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.video import Image

_RAW_LIMIT = 400 << 20


class ClipImages:
    """Images by frame number; large ones are kept as JPEG.

    Args:
        images: of all frames in order; None where one cannot be decoded.
        frames: how many there are.
    """

    def __init__(self, images: Iterable[Image | None], frames: int) -> None:
        self._stored: list[Image | NDArray[np.uint8] | None] = []
        self.shape: tuple[int, int] = (0, 0)
        """Height and width."""
        self._raw = True
        for image in images:
            if image is None:
                self._stored.append(None)
                continue
            if self.shape == (0, 0):
                self.shape = (image.shape[0], image.shape[1])
                self._raw = image.nbytes * frames <= _RAW_LIMIT
            self._stored.append(image if self._raw else _packed(image))

    def __len__(self) -> int:
        return len(self._stored)

    def __call__(self, frame: int) -> Image | None:
        """The image of a frame."""
        stored = self._stored[frame]
        if stored is None or self._raw:
            return stored
        bgr = np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR))
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _packed(image: Image) -> NDArray[np.uint8]:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert done
    return np.asarray(data, dtype=np.uint8)
