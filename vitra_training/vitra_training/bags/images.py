"""What a check wants to know of a bag's images: which are the same, and which cannot be decoded."""

from __future__ import annotations

from binascii import crc32
from collections import deque
from typing import Any

import cv2
import numpy as np

from vitra_policy.camera_messages.decode import ImageMessageError, check_whole, compressed_image, raw_image
from vitra_policy.camera_messages.video import VideoDecoder, is_video
from vitra_policy.errors import VitraError
from vitra_training.datasets.episode import Array
from vitra_training.datasets.same_image import block_means, same_image

_REMEMBERED = 4
"""Images that one may be shown again after; a camera whose buffers are mixed up shows a few in turn."""


class ImageWatch:
    """Numbers the images of one camera by content: the bytes of a message also hold padding, which is random."""

    def __init__(self) -> None:
        self.lost = 0
        """Images that cannot be decoded."""
        self.is_video = False
        self.size_px = (0, 0)
        """Width and height of the newest image."""
        self._reduced: tuple[int, ...] = ()
        self._decoder, self._number, self._numbers = VideoDecoder(), 0, 0
        self._known: deque[tuple[int, Array | int]] = deque(maxlen=_REMEMBERED)

    def see(self, message: Any) -> int:
        """A number that stays the same as long as the image does, and is an earlier one where that is shown again."""
        try:
            content = self._content(message)
        except VitraError:
            self.lost += 1
            return self._number
        number = next((n for n, known in reversed(self._known) if same_image(content, known)), None)
        if number is None:
            self._numbers += 1
            number = self._numbers
            self._known.append((number, content))
        self._number = number
        return number

    def _content(self, message: Any) -> Array | int:
        if is_video(message):
            self.is_video = True
            return self._blocks(message.data)
        if not hasattr(message, "format"):
            pixels = raw_image(message.height, message.width, message.step, message.encoding, message.data)
            self.size_px = (message.width, message.height)
            return crc32(np.ascontiguousarray(pixels).data)
        check_whole(message.data)
        grey = cv2.imdecode(np.asarray(message.data), cv2.IMREAD_REDUCED_GRAYSCALE_2)
        if grey is None:
            raise ImageMessageError("The image is damaged.")
        if grey.shape != self._reduced:  # decoding all of it is worth it once
            self._reduced = grey.shape
            height, width = compressed_image(message.data).shape[:2]
            self.size_px = (width, height)
        return crc32(np.ascontiguousarray(grey).data)  # not of the message: cameras write times into their headers

    def _blocks(self, data: Any) -> Array:
        """Means of blocks: coding changes every message of a video that shows the same image."""
        frame = self._decoder(data)
        if frame is None:
            raise ImageMessageError("The image is damaged, or one that it builds on is missing.")
        self.size_px = (frame.width, frame.height)
        return block_means(frame.to_ndarray(format="gray"))
