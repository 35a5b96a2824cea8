import array
import struct

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image

from vitra_policy.camera_messages.decode import ImageMessageError, image_of
from vitra_policy.errors import UnknownNameError
from vitra_recorder.images import ImageEncodingError, compress
from vitra_recorder.topics import Kind


def image(encoding, pixels, padding=0):
    rows = pixels.reshape(len(pixels), -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)))
    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding, step=rows.shape[1])
    message.data = array.array("B", rows.tobytes())
    message.header.stamp.sec, message.header.frame_id = 7, "camera"
    return serialize_message(message)


@pytest.mark.parametrize("padding", [0, 6])
def test_red_stays_red_in_a_jpeg(padding):
    red = np.zeros((16, 24, 3), np.uint8)
    red[..., 0] = 250
    written = compress(Kind.COLOR, image("rgb8", red, padding), 90)
    message = deserialize_message(written.data, CompressedImage)
    assert (written.suffix, message.format) == ("/compressed", "rgb8; jpeg compressed bgr8")
    assert (message.header.stamp.sec, message.header.frame_id) == (7, "camera")
    blue_green_red = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)[8, 12]
    np.testing.assert_allclose(blue_green_red, [0, 0, 250], atol=6)


def test_depth_is_lossless():
    depth = np.random.default_rng(0).integers(0, 2**16, (12, 20), dtype=np.uint16)
    written = compress(Kind.DEPTH, image("16UC1", depth), 90)
    message = deserialize_message(written.data, CompressedImage)
    assert (written.suffix, message.format) == ("/compressedDepth", "16UC1; compressedDepth png")
    assert len(struct.pack("<iff", 0, 0, 0)) == 12
    decoded = cv2.imdecode(np.frombuffer(message.data, np.uint8)[12:], cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decoded, depth)


def test_an_unknown_encoding_is_named():
    with pytest.raises(UnknownNameError, match="colour encoding '16UC1'"):
        compress(Kind.COLOR, image("16UC1", np.zeros((2, 2), np.uint16)), 90)
    with pytest.raises(UnknownNameError, match="depth encoding 'rgb8'"):
        compress(Kind.DEPTH, image("rgb8", np.zeros((2, 2, 3), np.uint8)), 90)


def test_sizes_that_do_not_fit_are_refused():
    broken = serialize_message(Image(height=4, width=4, encoding="rgb8", step=12, data=[0] * 5))
    with pytest.raises(ImageMessageError, match="cannot have 5 bytes"):
        compress(Kind.COLOR, broken, 90)
    broken = serialize_message(Image(height=4, width=4, encoding="16UC1", step=8, data=[0] * 5))
    with pytest.raises(ImageEncodingError, match="cannot have 5 bytes"):
        compress(Kind.DEPTH, broken, 90)


@pytest.mark.parametrize(("encoding", "order"), [("bgr8", [2, 1, 0]), ("rgba8", [0, 1, 2, 0]), ("bgra8", [2, 1, 0, 0])])
def test_every_colour_order_is_recorded_in_its_colours(encoding, order):
    an_image = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    written = compress(Kind.COLOR, image(encoding, np.ascontiguousarray(an_image[..., order]), 4), None)
    np.testing.assert_array_equal(image_of(deserialize_message(written.data, CompressedImage)), an_image)


def test_lossless_colour_keeps_every_bit():
    an_image = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    written = compress(Kind.COLOR, image("rgb8", an_image), None)
    message = deserialize_message(written.data, CompressedImage)
    decoded = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(decoded, an_image)
    assert message.format == "rgb8; png compressed bgr8"
