"""RGB images of camera messages in order, H.264 among them, each of which builds on those before it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_policy.camera_messages.decode import Image, ImageMessageError, image_of
from vitra_policy.camera_messages.h264_continuity import Order
from vitra_policy.errors import VitraError

VIDEO_TYPE = "foxglove_msgs/msg/CompressedVideo"
SUFFIXES = ("/compressed", "/compressedDepth", "/video")
"""What is appended to the name of a topic whose images are compressed."""
_SEQUENCE_PARAMETERS = 7


def base_topic(topic: str) -> str:
    """A topic's name without slashes around it and without what tells how its images are compressed."""
    name = topic.strip("/")
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def is_video(message: Any) -> bool:
    """Whether a message is an image of a video, which needs those before it."""
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
        import av

        packet = bytes(data)
        if not self._order.follows(packet):  # the codec would make an image up
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
        import av

        codec: Any = av.CodecContext.create("h264", "r")
        codec.thread_count = 1  # more threads would hold frames back
        codec.options = {"err_detect": "explode"}  # bits that were flipped
        return codec


class ImageDecoder:
    """Images of one camera's messages in the order they were recorded, whatever their form."""

    def __init__(self) -> None:
        self._video: VideoDecoder | None = None
        self.lost = 0
        """Messages that gave no image."""
        self.why = ""
        """Why the last of them did not."""

    def __call__(self, message: Any) -> Image | None:
        """RGB image (H, W, 3), or None where the message is damaged or one that it builds on is missing."""
        try:
            return self._decode(message)
        except VitraError as error:
            self.lost, self.why = self.lost + 1, str(error)
            return None

    def _decode(self, message: Any) -> Image:
        if not is_video(message):
            return image_of(message)
        self._video = self._video or VideoDecoder()
        frame = self._video(message.data)
        if frame is None:
            raise ImageMessageError("An image of the video is damaged, or one that it builds on is missing.")
        return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
