"""The two nodes on a real ROS graph."""

import contextlib
import time

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from vitra_camera.calibration_node import CalibrationPublisher
from vitra_camera.head_camera_node import HeadCamera
from vitra_description.calibration import default_calibration
from vitra_msgs.msg import Heartbeat
from vitra_runtime import qos


class Graph:
    """One node under test and one listener, in one executor."""

    def __init__(self, node_type, **parameters):
        arguments = [word for key, value in parameters.items() for word in ("-p", f"{key}:={value}")]
        rclpy.init(args=["--ros-args", *arguments] if arguments else None)
        self.executor = SingleThreadedExecutor()
        self.listener = rclpy.create_node("listener")
        self.messages = {}
        self.node = node_type()
        for node in (self.node, self.listener):
            self.executor.add_node(node)

    def listen(self, message_type, topic, profile):
        received = self.messages.setdefault(topic, [])
        self.listener.create_subscription(message_type, topic, received.append, profile)
        return received

    def until(self, condition, timeout_s=30.0):
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline_s, {topic: len(got) for topic, got in self.messages.items()}
            self.executor.spin_once(timeout_sec=0.05)

    def close(self):
        self.node.end()
        self.node.stop_beating()
        for node in (self.node, self.listener):
            self.executor.remove_node(node)
            node.destroy_node()
        rclpy.try_shutdown()


@pytest.fixture
def graph(ros_domain):
    with contextlib.ExitStack() as stack:

        def start(node_type, **parameters):
            started = Graph(node_type, **parameters)
            stack.callback(started.close)
            return started

        yield start


@pytest.fixture(scope="module")
def steady_recording(rs, make_recording, tmp_path_factory):
    path = tmp_path_factory.mktemp("realsense") / "steady.db3"
    make_recording(path, range(1, 16), period_s=1 / 30)
    return path


def test_the_camera_node_publishes_colour_depth_and_intrinsics(graph, steady_recording):
    g = graph(
        HeadCamera,
        playback_file=steady_recording,
        playback_repeat="true",
        color_profile="0x0x0",
        depth_profile="0x0x0",
        frame_timeout_s=0.2,
    )
    colors = g.listen(Image, "head_camera/color/image_raw", qos.SENSOR)
    infos = g.listen(CameraInfo, "head_camera/color/camera_info", qos.SENSOR)
    depths = g.listen(Image, "head_camera/aligned_depth_to_color/image_raw", qos.SENSOR)
    depth_infos = g.listen(CameraInfo, "head_camera/aligned_depth_to_color/camera_info", qos.SENSOR)
    g.until(lambda: min(map(len, (colors, infos, depths, depth_infos))) >= 5)
    color, depth = colors[-1], depths[-1]
    assert (color.width, color.height, color.encoding) == (320, 240, "rgb8")
    assert color.header.frame_id == depth.header.frame_id == "head_camera_color_optical_frame"
    assert depth.encoding == "16UC1"
    depth_mm = np.frombuffer(depth.data, np.uint16)
    pixels = np.frombuffer(color.data, np.uint8).reshape(240, 320, 3)
    assert 1000 < depth_mm.max() <= 1015
    assert 1 <= pixels[0, 0, 0] <= 15
    np.testing.assert_array_equal(pixels[0, :, 1], np.arange(320) % 256)
    assert infos[-1].k[0] == depth_infos[-1].k[0] == 210.0
    assert {i.header.stamp.nanosec for i in infos} & {c.header.stamp.nanosec for c in colors}
    age_s = g.listener.get_clock().now().nanoseconds * 1e-9 - (
        color.header.stamp.sec + color.header.stamp.nanosec * 1e-9
    )
    assert -0.01 < age_s < 5.0


def test_the_end_of_a_recording_is_a_fault_in_words_and_in_diagnostics(graph, recording):
    g = graph(
        HeadCamera,
        playback_file=recording,
        color_profile="0x0x0",
        depth_profile="0x0x0",
        frame_timeout_s=0.3,
        playback_real_time="false",
    )
    beats = g.listen(Heartbeat, "heartbeat", qos.HEARTBEAT)
    reports = g.listen(DiagnosticArray, "/diagnostics", 10)
    g.until(lambda: bool(beats) and beats[-1].state == Heartbeat.FAULT)
    assert "is over" in beats[-1].detail
    g.until(lambda: bool(reports) and "over" in reports[-1].status[0].message)
    values = {item.key: item.value for item in reports[-1].status[0].values}
    assert int(values["frames"]) >= 8
    assert values["frames_dropped"] == "2"


def test_a_wrong_profile_keeps_the_node_alive_and_inactive_with_the_reason(graph):
    g = graph(HeadCamera, color_profile="big")
    beats = g.listen(Heartbeat, "heartbeat", qos.HEARTBEAT)
    g.until(lambda: any("WIDTHxHEIGHTxFPS" in beat.detail for beat in beats))
    assert beats[-1].state == Heartbeat.INACTIVE


def test_a_camera_that_is_not_there_is_a_fault_until_it_comes(graph, recording, tmp_path):
    path = tmp_path / "later.db3"
    g = graph(
        HeadCamera,
        playback_file=path,
        playback_repeat="true",
        color_profile="0x0x0",
        depth_profile="0x0x0",
        reconnect_timeout_s=0.05,
        frame_timeout_s=0.2,
    )
    beats = g.listen(Heartbeat, "heartbeat", qos.HEARTBEAT)
    g.until(lambda: bool(beats) and beats[-1].state == Heartbeat.FAULT)
    assert "does not exist" in beats[-1].detail
    path.write_bytes(recording.read_bytes())
    g.until(lambda: beats[-1].state == Heartbeat.ACTIVE)


def test_the_calibration_is_latched_for_late_joiners(graph):
    g = graph(CalibrationPublisher)
    g.until(lambda: g.node.is_active)
    transforms = g.listen(TFMessage, "/tf_static", qos.LATCHED)
    g.until(lambda: bool(transforms))
    children = {t.child_frame_id: t for t in transforms[0].transforms}
    assert {"head_camera_color_optical_frame", "left_hand_mount", "right_arm_base"} <= set(children)
    camera = children["head_camera_color_optical_frame"]
    assert camera.header.frame_id == "base_link"
    q = camera.transform.rotation
    assert q.x**2 + q.y**2 + q.z**2 + q.w**2 == pytest.approx(1.0)
    expected = default_calibration().base_from_head_camera[2, 3]
    assert camera.transform.translation.z == pytest.approx(expected)


def test_an_unknown_calibration_is_refused_with_the_ones_there_are(graph):
    g = graph(CalibrationPublisher, calibration="simm")
    beats = g.listen(Heartbeat, "heartbeat", qos.HEARTBEAT)
    g.until(lambda: any("Did you mean 'sim'" in beat.detail for beat in beats))
