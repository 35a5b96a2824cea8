"""Colour images into H.264, one message per image, laid out as foxglove_msgs/CompressedVideo asks."""

from __future__ import annotations

import struct
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from vitra_policy.errors import UnknownNameError, VitraError

VIDEO_TYPE = "foxglove_msgs/msg/CompressedVideo"
VIDEO_DEFINITION = "builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\nstring format\n"
VIDEO_SUFFIX = "/video"
KEY_FRAME_EVERY = 15
"""Images from one key frame to the next: so many at most are lost with a damaged one."""
_FORMATS = {"rgb8": "rgb24", "bgr8": "bgr24", "mono8": "gray"}
_CDR_LITTLE_ENDIAN = b"\x00\x01\x00\x00"


class VideoEncodingError(VitraError):
    """An image that the codec refuses."""


class VideoEncoder:
    """H.264 (Annex B, no B-frames, parameter sets with every key frame) of one topic's images, in order.

    Args:
        crf: x264 quality, lower is better; 18 can hardly be told from the original.
    """

    def __init__(self, crf: int = 20) -> None:
        self._crf = crf
        self._form: tuple[int, int] | None = None
        self._codec: av.VideoCodecContext | None = None
        self._count = 0

    def __call__(self, pixels: NDArray[np.uint8], encoding: str, sec: int, nanosec: int, frame_id: str) -> bytes:
        """A serialised CompressedVideo of one image; none is held back.

        Args:
            pixels: (H, W, 3), or (H, W) for mono8.
            encoding: as in sensor_msgs/Image.
            sec: time of capture.
            nanosec: its fraction.
            frame_id: frame of the camera.

        Raises:
            UnknownNameError: an encoding that is no colour.
            VideoEncodingError: the codec refuses.
        """
        if encoding not in _FORMATS:
            raise UnknownNameError("colour encoding", encoding, _FORMATS)
        height, width = pixels.shape[:2]
        if self._codec is None or self._form != (width, height):
            self._form, self._codec, self._count = (width, height), _open(width, height, self._crf), 0
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=_FORMATS[encoding])
        frame.pts = self._count
        self._count += 1
        try:
            data = b"".join(bytes(packet) for packet in self._codec.encode(frame))
        except av.FFmpegError as error:
            raise VideoEncodingError(f"Cannot encode an image of {width}x{height}: {error}.") from None
        return _message(sec, nanosec, frame_id, data)


def _open(width: int, height: int, crf: int) -> av.VideoCodecContext:
    codec = av.CodecContext.create("libx264", "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height, codec.time_base = width, height, Fraction(1, 30)
    codec.pix_fmt = "yuv444p" if width % 2 or height % 2 else "yuv420p"
    codec.thread_count = 1
    codec.options = {
        "preset": "superfast", "tune": "zerolatency", "crf": str(crf), "bf": "0", "sc_threshold": "0",
        "g": str(KEY_FRAME_EVERY),
    }  # fmt: skip
    return codec


def _message(sec: int, nanosec: int, frame_id: str, data: bytes) -> bytes:
    """The message in CDR, little endian."""
    name, body = frame_id.encode() + b"\0", bytearray()
    body += struct.pack("<iII", sec, nanosec, len(name)) + name
    body += bytes(-len(body) % 4) + struct.pack("<I", len(data)) + data
    body += bytes(-len(body) % 4) + struct.pack("<I", 5) + b"h264\0"
    return _CDR_LITTLE_ENDIAN + bytes(body)
