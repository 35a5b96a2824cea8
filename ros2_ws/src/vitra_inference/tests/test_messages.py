import array

import numpy as np
import pytest

pytest.importorskip("rclpy")
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image, JointState

from vitra_description.names import arm_joints, hand_joints
from vitra_inference.messages import JointDecoder, MessageError, decode_image, stamp_ns_of
from vitra_policy.errors import UnknownNameError


def image(encoding, pixels, step=None):
    height, width = pixels.shape[:2]
    step = step or pixels[0].size
    rows = np.zeros((height, step), np.uint8)
    rows[:, : pixels[0].size] = pixels.reshape(height, -1)
    return serialize_message(
        Image(height=height, width=width, encoding=encoding, step=step, data=array.array("B", rows.tobytes()))
    )


@pytest.mark.parametrize(("encoding", "order"), [("rgb8", [0, 1, 2]), ("bgr8", [2, 1, 0]), ("bgra8", [2, 1, 0])])
@pytest.mark.parametrize("padding", [0, 5])
def test_every_colour_order_becomes_rgb(encoding, order, padding):
    channels = 4 if "a" in encoding else 3
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, channels), dtype=np.uint8)
    np.testing.assert_array_equal(decode_image(image(encoding, pixels, 5 * channels + padding)), pixels[:, :, order])


def test_grey_becomes_three_equal_channels():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(decode_image(image("mono8", pixels)), np.stack([pixels] * 3, axis=-1))


def test_an_unknown_encoding_is_named():
    with pytest.raises(UnknownNameError, match="Did you mean 'rgb8'"):
        decode_image(image("rgb16", np.zeros((2, 2, 3), np.uint8)))


def test_an_image_that_contradicts_itself_is_refused():
    with pytest.raises(MessageError, match="cannot have 3 bytes"):
        decode_image(serialize_message(Image(height=2, width=2, encoding="rgb8", step=6, data=[1, 2, 3])))


def test_the_stamp_is_read_without_deserialising():
    message = JointState()
    message.header.stamp.sec, message.header.stamp.nanosec = 1_700_000_000, 123_456_789
    assert stamp_ns_of(serialize_message(message)) == 1_700_000_000_123_456_789


def test_joints_are_sorted_by_name_and_strangers_ignored():
    names = [*reversed(arm_joints("left")), "gripper"]
    raw = serialize_message(JointState(name=names, position=[7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 99.0]))
    np.testing.assert_array_equal(JointDecoder()("left_arm", raw), [1, 2, 3, 4, 5, 6, 7])


def test_a_missing_joint_is_named():
    names = list(hand_joints("right"))[1:]
    with pytest.raises(MessageError, match="lacks right_hand_thumb_bend_joint"):
        JointDecoder()("right_hand", serialize_message(JointState(name=names, position=[0.0] * 11)))


def test_too_few_positions_are_refused():
    with pytest.raises(MessageError, match="6 positions for 7"):
        JointDecoder()("left_arm", serialize_message(JointState(name=arm_joints("left"), position=[0.0] * 6)))
