import socket
import time

import numpy as np
import pytest

pytest.importorskip("rclpy")
import rclpy
from rclpy.experimental import EventsExecutor
from sensor_msgs.msg import JointState

from vitra_description.calibration import default_calibration
from vitra_description.names import arm_joints, hand_joints
from vitra_description.observed_wrist import ObservedWrist
from vitra_description.postures import home
from vitra_msgs.msg import HandActionChunk, SafetyState
from vitra_policy.action_space import HAND, WRIST
from vitra_policy.transforms import integrate_wrist, make_pose, matrix_from_euler_xyz
from vitra_runtime import qos
from vitra_teleop.wire import encode

pytestmark = pytest.mark.graph


class Graph:
    """The teleop node, a robot that stands still, and an operator who sends datagrams."""

    def __init__(self):
        from vitra_teleop.teleop_node import TeleopNode

        arguments = ["-p", "input_options:=['port=0']", "-p", "tracker_axes:=head_camera", "-p", "stale_s:=1.0"]
        rclpy.init(args=["--ros-args", *arguments])
        self.node, self.robot = TeleopNode(), rclpy.create_node("robot")
        self.executor = EventsExecutor()
        for node in (self.node, self.robot):
            self.executor.add_node(node)
        self.arm = self.robot.create_publisher(JointState, "right_arm/joint_states", qos.SENSOR)
        self.hand = self.robot.create_publisher(JointState, "right_hand/joint_states", qos.SENSOR)
        self.safety = self.robot.create_publisher(SafetyState, "safety_state", qos.LATCHED)
        self.chunks = []
        self.robot.create_subscription(HandActionChunk, "hand_action_chunk", self.chunks.append, qos.CHUNK)
        self.robot.create_timer(0.01, self.publish)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sequence = 0
        self.send = None
        self.arm_robot(True)

    def arm_robot(self, yes):
        self.safety.publish(SafetyState(state=SafetyState.ARMED if yes else SafetyState.STOPPED))

    def publish(self):
        now = self.robot.get_clock().now().to_msg()
        for publisher, names, q in (
            (self.arm, arm_joints("right"), home("right")), (self.hand, hand_joints("right"), np.zeros(12)),
        ):  # fmt: skip
            message = JointState(name=list(names), position=q.tolist())
            message.header.stamp = now
            publisher.publish(message)
        if self.send is not None and self.node._input is not None:
            self.sequence += 1
            message = encode(self.sequence, time.monotonic(), {"right": self.send})
            self.socket.sendto(message, ("127.0.0.1", self.node._input.port))

    def until(self, condition, timeout_s=20.0):
        deadline_s = time.monotonic() + timeout_s
        while not (value := condition()):
            assert time.monotonic() < deadline_s, "waited in vain"
            self.executor.spin_once(timeout_sec=0.05)
        return value

    def spin(self, seconds):
        deadline_s = time.monotonic() + seconds
        while time.monotonic() < deadline_s:
            self.executor.spin_once(timeout_sec=0.01)

    def close(self):
        self.node.end()
        self.node.stop_beating()
        self.executor.shutdown()
        self.robot.destroy_node()
        self.node.destroy_node()
        self.socket.close()


@pytest.fixture
def graph(ros_domain):
    one = Graph()
    yield one
    one.close()
    rclpy.try_shutdown()


def test_a_hand_moves_the_robot_until_it_is_lost(graph):
    state = lambda: graph.node._session.clutches["right"].state if graph.node._session else None  # noqa: E731
    wrist = {"position_m": [0.0, 0.0, 0.0], "quaternion_xyzw": [0, 0, 0, 1]}
    graph.send = {"valid": True, "engage": False, "wrist": wrist}
    graph.until(lambda: graph.node.is_active and graph.node._safety is not None)
    graph.spin(0.5)
    assert not graph.chunks
    graph.send = {"valid": True, "engage": True, "wrist": wrist}
    graph.until(lambda: len(graph.chunks) > 5)
    graph.send = {"valid": True, "engage": True, "wrist": {**wrist, "position_m": [0.0, 0.05, 0.0]}}
    measured = ObservedWrist(default_calibration(), ["right"])("right", home("right"))

    def arrived():
        chunk = graph.chunks[-1]
        observed = np.asarray(chunk.observed)[HAND["right"]]
        start = make_pose(observed[:3], matrix_from_euler_xyz(observed[3:6]))
        actions = np.asarray(chunk.actions).reshape(chunk.steps, 102)[:, HAND["right"]]
        end = integrate_wrist(start, actions[:, WRIST])[-1]
        return np.allclose(end[:3, 3] - measured[:3, 3], [0, 0.05, 0], atol=2e-3)

    graph.until(arrived)
    assert graph.chunks[-1].source == "teleop"
    assert graph.chunks[-1].right_valid
    graph.send = {"valid": False}
    graph.until(lambda: state() == "lost")
    graph.spin(0.5)
    count = len(graph.chunks)
    graph.send = {"valid": True, "engage": True, "wrist": wrist}
    graph.spin(0.5)
    assert len(graph.chunks) == count, "it stays stopped until engaged anew"
    graph.send = {"valid": True, "engage": False, "wrist": wrist}
    graph.until(lambda: state() == "released")
    graph.send = {"valid": True, "engage": True, "wrist": wrist}
    graph.until(lambda: len(graph.chunks) > count)
    graph.arm_robot(False)
    graph.until(lambda: state() == "lost")
