"""Image messages into compressed ones, named and laid out as image_transport does it."""

from __future__ import annotations

import array
import struct
from dataclasses import dataclass

import cv2
import numpy as np
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image

from vitra_policy.camera_messages.decode import CHANNELS, raw_image
from vitra_policy.errors import UnknownNameError, VitraError
from vitra_recorder.topics import Kind
from vitra_recorder.video import VIDEO_SUFFIX, VIDEO_TYPE, VideoEncoder

COMPRESSED_TYPE = "sensor_msgs/msg/CompressedImage"
_PNG_FASTEST = 1


class ImageEncodingError(VitraError):
    """An image that cannot be compressed."""


@dataclass(frozen=True, slots=True)
class Compressed:
    """What is written instead of an image."""

    suffix: str
    """Appended to the topic's name."""
    type: str
    data: bytes


def compress(kind: Kind, raw: bytes, jpeg_quality: int | None) -> Compressed:
    """JPEG of a serialised colour image (PNG where the quality is None), PNG of a depth image.

    Args:
        kind: Colour or depth.
        raw: A sensor_msgs/Image, CDR.
        jpeg_quality: 1..100; None: PNG.

    Raises:
        UnknownNameError: an encoding that is neither.
        ImageMessageError, ImageEncodingError: sizes that do not fit, or the codec refuses.
    """
    return _color(raw, jpeg_quality) if kind is Kind.COLOR else _depth_png(raw)


def compress_video(encoder: VideoEncoder, raw: bytes) -> Compressed:
    """The next image of a video, of a serialised colour image.

    Raises:
        UnknownNameError: an encoding that is no colour.
        ImageMessageError: sizes that do not fit.
        VideoEncodingError: the codec refuses.
    """
    image, pixels = _read_color(raw)
    stamp, encoding = image.header.stamp, "mono8" if pixels.ndim == 2 else "rgb8"
    data = encoder(pixels, encoding, stamp.sec, stamp.nanosec, image.header.frame_id)
    return Compressed(VIDEO_SUFFIX, VIDEO_TYPE, data)


def _read_color(raw: bytes) -> tuple[Image, np.ndarray]:
    """The message, and its pixels (H, W, 3) in RGB, or (H, W) for mono8."""
    image = deserialize_message(raw, Image)
    if image.encoding not in CHANNELS:
        raise UnknownNameError("colour encoding", image.encoding, CHANNELS)
    pixels = raw_image(image.height, image.width, image.step, image.encoding, image.data)
    return image, pixels[..., 0] if image.encoding == "mono8" else pixels


def _color(raw: bytes, quality: int | None) -> Compressed:
    image, pixels = _read_color(raw)
    grey = pixels.ndim == 2
    bgr = np.ascontiguousarray(pixels) if grey else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    if quality is None:
        codec, data = "png", _encode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_FASTEST])
    else:
        codec, data = "jpeg", _encode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    flavour = "mono8" if image.encoding == "mono8" else "bgr8"
    return Compressed(
        "/compressed", COMPRESSED_TYPE, _message(image, f"{image.encoding}; {codec} compressed {flavour}", data)
    )


def _depth_png(raw: bytes) -> Compressed:
    image = deserialize_message(raw, Image)
    if image.encoding not in ("16UC1", "mono16"):
        raise UnknownNameError("depth encoding", image.encoding, ["16UC1", "mono16"])
    pixels = _pixels(image, np.dtype(np.uint16), 1)
    data = _encode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_FASTEST])
    # compressed_depth_image_transport puts its 12-byte configuration (unused for integers) before the image.
    header = struct.pack("<iff", 0, 0.0, 0.0)
    return Compressed(
        "/compressedDepth", COMPRESSED_TYPE, _message(image, f"{image.encoding}; compressedDepth png", header + data)
    )


def _pixels(image: Image, dtype: np.dtype, channels: int) -> np.ndarray:
    row = image.width * channels * dtype.itemsize
    flat = np.frombuffer(image.data, dtype=np.uint8)
    if image.step < row or flat.size != image.height * image.step:
        raise ImageEncodingError(
            f"Image of {image.width}x{image.height} {image.encoding}, step {image.step}, cannot have {flat.size} bytes."
        )
    pixels = np.ascontiguousarray(flat.reshape(image.height, image.step)[:, :row]).view(dtype)
    return pixels.reshape(image.height, image.width, channels) if channels > 1 else pixels


def _encode(extension: str, pixels: np.ndarray, options: list[int]) -> bytes:
    done, data = cv2.imencode(extension, pixels, options)
    if not done:
        raise ImageEncodingError(f"Cannot encode an image of shape {pixels.shape} as {extension}.")
    return data.tobytes()


def _message(image: Image, description: str, data: bytes) -> bytes:
    message = CompressedImage(header=image.header, format=description)
    message.data = array.array("B", data)
    return bytes(serialize_message(message))
