"""A bag replayed through the policy node's own buffer gives what offline reading gives, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vitra_inference")
from rosbags.highlevel import AnyReader

from vitra_description.calibration import default_calibration
from vitra_description.observed_wrist import ObservedWrist
from vitra_inference import messages
from vitra_inference.observations import Decoders, ObservationBuffer
from vitra_policy.policies.policy import Observation
from vitra_training.bags.observations import observations


def replay(path: Path) -> list[Observation]:
    """What the node would have seen: frames wait until the joints have caught up with them."""
    from rclpy.serialization import deserialize_message
    from sensor_msgs.msg import CameraInfo

    calibration = default_calibration()
    buffer = ObservationBuffer(
        ["right"], ObservedWrist(calibration, ["right"]), calibration.base_from_head_camera,
        Decoders(messages.JointDecoder(), messages.decode_image, lambda raw: {}),
    )  # fmt: skip
    waiting: list[Any] = []
    seen: list[Observation] = []
    needed = np.array([False, True])
    with AnyReader([path]) as reader:
        for connection, _, raw in reader.messages():
            raw = bytes(raw)
            if connection.topic.endswith("camera_info"):
                buffer.set_camera(messages.camera_of(deserialize_message(raw, CameraInfo)))
            elif connection.topic.endswith("image_raw"):
                waiting.append(messages.frame_of(raw, "camera"))
            elif connection.topic.endswith("joint_states"):
                stream = connection.topic.split("/")[1]
                buffer.add_joints(stream, messages.stamp_ns_of(raw) * 1e-9, raw)
            while waiting:
                buffer.add_frame(waiting[0])
                sighting = buffer.next(None, needed, 0.0)
                if sighting is None:
                    break
                seen.append(buffer.observe(sighting, "Wave.", needed, None))
                waiting.pop(0)
    return seen


def test_a_replayed_bag_gives_the_same_observations_bit_for_bit(episodes: Any, tmp_path: Path) -> None:
    path = episodes.write(tmp_path / "bag", episodes.messages(2.0))
    live = replay(path)
    offline = {o.stamp_s: o for o in observations(path)}
    assert len(live) >= 58
    for one in live:
        other = offline[one.stamp_s]
        assert other.image is not None
        assert one.image is not None
        for name in ("image", "state", "state_valid", "intrinsics", "fov_rad"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
        np.testing.assert_array_equal(one.extras["base_from_camera"], other.extras["base_from_camera"])


def test_the_frames_on_tf_static_stand_in_for_the_calibration_file(episodes: Any, tmp_path: Path) -> None:
    about = {k: v for k, v in episodes.about.items() if k != "calibration_yaml"}
    from_frames = episodes.write(tmp_path / "frames", episodes.messages(0.5), about)
    from_file = episodes.write(tmp_path / "file", episodes.messages(0.5))
    for one, other in zip(observations(from_frames), observations(from_file), strict=True):
        np.testing.assert_allclose(one.state, other.state, atol=1e-12)


def test_no_value_comes_from_the_future(episodes: Any, tmp_path: Path) -> None:
    messages_ = episodes.messages(1.0)
    half = messages_[0][1] + 500_000_000
    before = [o.state for o in observations(episodes.write(tmp_path / "one", messages_)) if o.stamp_s < half * 1e-9]
    for topic, _, message in messages_:
        stamp_ns = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec if "joint" in topic else 0
        if stamp_ns >= half:
            message.position[:] = 9.0
    after = [o.state for o in observations(episodes.write(tmp_path / "two", messages_)) if o.stamp_s < half * 1e-9]
    assert len(before) == 15
    np.testing.assert_array_equal(before, after)
