"""The driver node on a real ROS graph, with the double in place of the vendor's SDK."""

import contextlib
import time

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import JointState
from std_msgs.msg import Float32MultiArray

from vitra_description.names import hand_joints
from vitra_msgs.msg import DriverState, HandCommand, Heartbeat, Permit
from vitra_runtime import qos
from xhand_driver.errors import HandHungError
from xhand_driver.node import XHandDriverNode

DOUBLE = "vitra_sim.doubles.xhand_sdk"


class Graph:
    """One driver node and a node that plays supervisor and executor."""

    def __init__(self, **parameters):
        arguments = [word for key, value in parameters.items() for word in ("-p", f"{key}:={value}")]
        rclpy.init(args=["--ros-args", *arguments])
        self.side = parameters.get("side", "right")
        self.executor = SingleThreadedExecutor()
        self.peer = rclpy.create_node("peer")
        self.received = {}
        self.node = XHandDriverNode()
        for node in (self.node, self.peer):
            self.executor.add_node(node)
        self.permit = self.peer.create_publisher(Permit, "permit", qos.SETPOINT)
        self.command = self.peer.create_publisher(HandCommand, f"{self.side}_hand/command", qos.SETPOINT)
        self.states = self.listen(DriverState, f"{self.side}_hand/driver_state", qos.SETPOINT)
        self.joints = self.listen(JointState, f"{self.side}_hand/joint_states", qos.SENSOR)
        self.beats = self.listen(Heartbeat, "heartbeat", qos.HEARTBEAT)
        self.sequence = 0

    def listen(self, message_type, topic, profile):
        received = self.received.setdefault(topic, [])
        self.peer.create_subscription(message_type, topic, received.append, profile)
        return received

    def until(self, condition, timeout_s=20.0):
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline_s, self.states[-1:] + self.beats[-1:]
            self.executor.spin_once(timeout_sec=0.02)

    def ready(self):
        return bool(self.node.is_active and self.joints and self.states and self.beats and not self.states[-1].fault)

    def send(self, position_rad, epoch=1, allowed=True):
        permit = Permit(epoch=epoch, motion_allowed=allowed)
        permit.header.stamp = self.peer.get_clock().now().to_msg()
        self.permit.publish(permit)
        self.sequence += 1
        message = HandCommand(sequence=self.sequence, epoch=epoch, position_rad=np.full(12, position_rad))
        message.header.stamp = self.peer.get_clock().now().to_msg()
        self.command.publish(message)

    def close(self):
        self.node.end()
        self.node.stop_beating()
        for node in (self.node, self.peer):
            self.executor.remove_node(node)
            node.destroy_node()
        rclpy.try_shutdown()


@pytest.fixture
def graph(ros_domain):
    with contextlib.ExitStack() as stack:

        def start(**parameters):
            started = Graph(**parameters)
            stack.callback(started.close)
            return started

        yield start


def test_joint_states_have_prefixed_names_in_the_vendors_order_and_currents_as_effort(graph, server, hands):
    hands["right"].position[:] = np.linspace(0, 0.11, 12)
    hands["right"].effort[4] = 0.1
    g = graph(side="right", sdk_module=DOUBLE)
    g.until(lambda: len(g.joints) >= 5)
    assert tuple(g.joints[-1].name) == hand_joints("right")
    np.testing.assert_allclose(g.joints[-1].position, np.linspace(0, 0.11, 12))
    assert g.joints[-1].effort[4] == pytest.approx(109, abs=1)
    g.until(lambda: g.node.is_active and bool(g.states) and g.states[-1].state == "holding")
    assert g.states[-1].device == "right_hand"


def test_a_permitted_command_moves_the_hand_and_loss_of_commands_is_held_and_reported(graph, server, hands):
    g = graph(side="left", sdk_module=DOUBLE)
    g.until(g.ready)

    since = []

    def commanded():
        g.send(0.13)
        sent = server.units["left"].commands
        since[:] = since or [sent] if np.allclose(hands["left"].position, 0.13) else []
        return bool(since) and sent > since[0] + 20  # at rest there, not on its way through

    g.until(commanded)
    g.until(lambda: g.states[-1].state in ("holding", "latched") and g.states[-1].accepted > 0)
    sent = server.units["left"].commands
    g.until(lambda: server.units["left"].commands > sent + 10)
    np.testing.assert_allclose(hands["left"].position, 0.13)


def test_without_a_permit_commands_do_nothing(graph, server, hands):
    g = graph(side="left", sdk_module=DOUBLE)
    g.until(g.ready)
    for _ in range(20):
        g.send(0.13, allowed=False)
        g.executor.spin_once(timeout_sec=0.02)
    assert server.units["left"].commands == 0


def test_a_missing_sdk_keeps_the_node_alive_and_tells_how_to_get_it(graph):
    g = graph(side="right", sdk_module="no_such_sdk")
    g.until(lambda: any("not on PyPI" in beat.detail for beat in g.beats))
    assert g.beats[-1].state == Heartbeat.INACTIVE


def test_an_unplugged_hand_is_a_fault_in_words_and_heals(graph, server):
    g = graph(side="right", sdk_module=DOUBLE, retry_period_s=0.05, link_timeout_s=0.1)
    reports = g.listen(DiagnosticArray, "/diagnostics", 10)
    g.until(g.ready)
    server.unplug("right")
    g.until(lambda: g.states[-1].state == "disconnected" and g.beats[-1].state == Heartbeat.FAULT)
    assert "No right XHand found" in g.states[-1].fault or "Lost the hand" in g.states[-1].fault
    g.until(lambda: bool(reports) and reports[-1].status[0].message == g.states[-1].fault)
    server.plug("right", "ttyUSB4")
    g.until(lambda: g.states[-1].state != "disconnected" and g.beats[-1].state == Heartbeat.ACTIVE)


def test_a_call_that_never_returns_leaves_the_node_answering_with_a_fault(graph, server):
    g = graph(side="right", sdk_module=DOUBLE, call_deadline_s=0.15, exit_after_hang_s=0.0)
    g.until(g.ready)
    server.faults("right").frozen = True
    g.until(lambda: "read_state has not returned within 0.15 s" in g.beats[-1].detail)
    assert g.beats[-1].state == Heartbeat.FAULT
    beats = len(g.beats)
    g.until(lambda: len(g.beats) > beats + 5)
    server.faults("right").frozen = False
    g.until(lambda: g.beats[-1].state == Heartbeat.ACTIVE)


def test_a_call_that_hangs_for_too_long_ends_the_process(graph, server):
    g = graph(side="right", sdk_module=DOUBLE, call_deadline_s=0.1, exit_after_hang_s=0.3)
    g.until(g.ready)
    server.faults("right").frozen = True
    with pytest.raises(HandHungError, match="only a new one"):
        g.until(lambda: False)
    server.faults("right").frozen = False


def test_fingertip_forces_are_published_when_asked_for(graph, server, hands):
    hands["right"].effort[2] = 0.2
    g = graph(side="right", sdk_module=DOUBLE, publish_tactile="true")
    forces = g.listen(Float32MultiArray, "right_hand/fingertip_forces", qos.SENSOR)
    g.until(lambda: bool(forces))
    assert np.reshape(forces[-1].data, (5, 3))[0, 2] == 50


def test_a_second_driver_of_the_same_hand_is_told_who_has_it(graph, server):
    from vitra_sim.doubles import xhand_control
    from xhand_driver.discovery import PortSettings, find_hand

    first = find_hand(xhand_control.XHandControl, PortSettings("right"))
    g = graph(side="right", sdk_module=DOUBLE, retry_period_s=0.05)
    g.until(lambda: bool(g.states) and "already driven by process" in g.states[-1].fault)
    first.close()
    g.until(lambda: bool(g.joints))
