"""Pictures of a bag's camera messages: raw, JPEG or PNG each by itself, H.264 in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_training.bags.h264_continuity import Order
from vitra_training.datasets.video import Image

SUFFIXES = ("/compressed", "/compressedDepth", "/video")
"""What the recorder appends to the name of a topic whose pictures it compresses."""
VIDEO_TYPE = "foxglove_msgs/msg/CompressedVideo"
_SEQUENCE_PARAMETERS = 7
_BLOCK_PX = 8
_SAME = 2.5
"""Brightness steps (of 255) that coding alone may change the mean of a block by."""


def base_topic(topic: str) -> str:
    """A topic's name without slashes around it and without what tells how its pictures are compressed."""
    name = topic.strip("/")
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def picture_of(message: Any) -> Image:
    """RGB picture (H, W, 3) of an image message that stands by itself, compressed or not."""
    if hasattr(message, "format"):
        return np.asarray(cv2.imdecode(np.asarray(message.data), cv2.IMREAD_COLOR)[..., ::-1], dtype=np.uint8)
    rows = np.asarray(message.data, dtype=np.uint8).reshape(message.height, message.step)
    picture = rows[:, : 3 * message.width].reshape(message.height, message.width, 3)
    return np.ascontiguousarray(picture[..., ::-1] if message.encoding == "bgr8" else picture)


def is_video(message: Any) -> bool:
    """Whether a message is a picture of a video, which needs those before it."""
    return hasattr(message, "timestamp")


def is_key_frame(data: NDArray[np.uint8] | bytes) -> bool:
    """Whether H.264 data (Annex B) begin anew: the recorder puts the parameter sets before every key frame."""
    head = bytes(data[:5])
    start = head.find(b"\0\0\1")
    return start >= 0 and start + 3 < len(head) and head[start + 3] & 0x1F == _SEQUENCE_PARAMETERS


class VideoDecoder:
    """One frame per message, or none where messages that it builds on are missing or damaged."""

    def __init__(self) -> None:
        self._codec, self._order = self._open(), Order()

    def __call__(self, data: NDArray[np.uint8] | bytes) -> Any:
        """The `av.VideoFrame`, or None for data that cannot be decoded."""
        packet = bytes(data)
        if not self._order.follows(packet):  # the codec would make a picture up
            return None
        try:
            frames = self._codec.decode(av.Packet(packet))
        except av.FFmpegError:
            frames = []
        if not frames:
            self._order = Order()  # nothing until the next key frame
        return frames[-1] if frames else None

    @staticmethod
    def _open() -> Any:
        codec: Any = av.CodecContext.create("h264", "r")
        codec.thread_count = 1  # more threads would hold frames back
        codec.options = {"err_detect": "explode"}  # bits that were flipped
        return codec


def decoded(pictures: Iterable[tuple[float, Any]]) -> Iterator[tuple[float, Image]]:
    """(time, RGB picture) of (time, message) in order; pictures of a video that cannot be decoded are left out."""
    video = VideoDecoder()
    for time_s, message in pictures:
        if not is_video(message):
            yield time_s, picture_of(message)
        elif (frame := video(message.data)) is not None:
            yield time_s, np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


class VideoWatch:
    """What a check wants to know of a video: which pictures are the same, and how many cannot be decoded."""

    def __init__(self) -> None:
        self.lost = 0
        self._decoder, self._run, self._first = VideoDecoder(), 0, np.zeros((0, 0))

    def see(self, data: NDArray[np.uint8] | bytes) -> int:
        """A number that stays the same as long as the picture does."""
        frame = self._decoder(data)
        if frame is None:
            self.lost += 1
            return self._run
        grey = frame.to_ndarray(format="gray")
        size = (max(frame.width // _BLOCK_PX, 1), max(frame.height // _BLOCK_PX, 1))
        blocks = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.float64)
        if blocks.shape != self._first.shape or np.abs(blocks - self._first).max() > _SAME:
            self._run, self._first = self._run + 1, blocks
        return self._run
