"""One decoder for every form that a camera's images are recorded in."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vitra_policy.camera_messages.decode import ImageMessageError, compressed_image, image_of, raw_image
from vitra_policy.camera_messages.video import ImageDecoder, base_topic
from vitra_policy.errors import UnknownNameError

RGB = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
SMOOTH = np.repeat(np.repeat(np.arange(0, 240, 20, dtype=np.uint8).reshape(2, 2, 3), 16, axis=0), 16, axis=1)


def image(encoding: str, pixels: Any, padding: int = 0) -> SimpleNamespace:
    rows = np.random.default_rng(1).integers(0, 256, (len(pixels), pixels[0].size + padding), dtype=np.uint8)
    rows[:, : pixels[0].size] = pixels.reshape(len(pixels), -1)
    height, width = pixels.shape[:2]
    return SimpleNamespace(height=height, width=width, encoding=encoding, step=rows.shape[1], data=rows.reshape(-1))


def compressed(suffix: str, rgb: Any) -> SimpleNamespace:
    import cv2

    return SimpleNamespace(format=f"rgb8; {suffix} compressed bgr8", data=cv2.imencode(suffix, rgb[..., ::-1])[1])


@pytest.mark.parametrize("padding", [0, 7])
@pytest.mark.parametrize(("encoding", "order"), [("rgb8", [0, 1, 2]), ("bgr8", [2, 1, 0])])
def test_raw_colours_become_rgb_whatever_their_order_and_padding(encoding: str, order: Any, padding: int) -> None:
    np.testing.assert_array_equal(image_of(image(encoding, RGB[..., order], padding)), RGB)


def test_raw_grey_has_three_equal_channels_and_alpha_is_left_out() -> None:
    grey = RGB[..., 0]
    np.testing.assert_array_equal(image_of(image("mono8", grey, 3)), np.stack([grey] * 3, axis=-1))
    np.testing.assert_array_equal(image_of(image("bgra8", np.dstack([RGB[..., ::-1], grey]), 1)), RGB)


def test_jpeg_and_png_are_read_in_rgb_grey_ones_too() -> None:
    np.testing.assert_array_equal(image_of(compressed(".png", RGB)), RGB)
    assert np.abs(image_of(compressed(".jpg", SMOOTH)).astype(int) - SMOOTH).mean() < 6
    grey = compressed(".png", np.repeat(RGB[..., :1], 3, axis=2))
    assert image_of(grey).shape == RGB.shape


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"x" * 50])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_damaged_compressed_image_is_an_error_of_its_own(suffix: str, damage: Any) -> None:
    with pytest.raises(ImageMessageError):
        compressed_image(damage(bytes(compressed(suffix, SMOOTH).data)))


def test_what_cannot_be_a_image_is_named() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'rgb8'"):
        raw_image(2, 2, 12, "rgb16", bytes(24))
    with pytest.raises(ImageMessageError, match="cannot have 3 bytes"):
        raw_image(2, 2, 6, "rgb8", bytes(3))
    with pytest.raises(ImageMessageError, match="0x2"):
        raw_image(2, 0, 0, "rgb8", b"")


def video(images: list[Any]) -> list[SimpleNamespace]:
    import av

    codec: Any = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = 32, 32, "yuv420p", Fraction(1, 30)
    codec.thread_count = 1
    codec.options = {"tune": "zerolatency", "crf": "10", "bf": "0", "g": "4", "sc_threshold": "0"}
    messages = []
    for number, an_image in enumerate(images):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(an_image), format="rgb24")
        frame.pts = number
        data = b"".join(bytes(packet) for packet in codec.encode(frame))
        stamp = SimpleNamespace(sec=number, nanosec=0)
        messages.append(
            SimpleNamespace(timestamp=stamp, frame_id="", format="h264", data=np.frombuffer(data, np.uint8))
        )
    return messages


def test_video_is_decoded_in_order_and_what_builds_on_a_lost_image_is_counted() -> None:
    images = [np.roll(SMOOTH, number, axis=1) for number in range(10)]
    messages = video(images)
    decode = ImageDecoder()
    for message, an_image in zip(messages, images, strict=True):
        decoded = decode(message)
        assert decoded is not None
        assert np.abs(decoded.astype(int) - an_image).mean() < 12
    decode = ImageDecoder()
    found = [decode(message) is not None for message in messages[:5] + messages[6:]]
    assert found == [True] * 5 + [False] * 2 + [True] * 2
    assert decode.lost == 2
    assert "missing" in decode.why


def test_a_topic_is_the_same_however_its_images_are_compressed() -> None:
    names = ("/cam/image_raw", "/cam/image_raw/compressed", "/cam/image_raw/video", "cam/image_raw/compressedDepth")
    assert {base_topic(name) for name in names} == {"cam/image_raw"}
