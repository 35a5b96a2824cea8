"""The nodes on a real ROS graph: the frames that people's tools see, and the console's address."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rclpy
import yaml
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from vitra_camera.calibration_node import CalibrationPublisher
from vitra_console.console_node import ConsoleNode
from vitra_console.frames.tree import check_tree
from vitra_console.robot_state_node import RobotStateNode
from vitra_description.names import arm_joints, hand_joints
from vitra_runtime import qos


class Graph:
    """Nodes under test and a listener, in one executor."""

    def __init__(self, *node_types: type) -> None:
        rclpy.init()
        self.executor = SingleThreadedExecutor()
        self.listener = rclpy.create_node("listener")
        self.nodes = [made() for made in node_types]
        for node in (*self.nodes, self.listener):
            self.executor.add_node(node)

    def listen(self, kind: Any, topic: str, profile: Any) -> list[Any]:
        received: list[Any] = []
        self.listener.create_subscription(kind, topic, received.append, profile)
        return received

    def until(self, condition: Callable[[], Any], timeout_s: float = 30.0) -> None:
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline_s
            self.executor.spin_once(timeout_sec=0.02)

    def close(self) -> None:
        for node in self.nodes:
            node.end()
            node.stop_beating()
        for node in (*self.nodes, self.listener):
            self.executor.remove_node(node)
            node.destroy_node()
        rclpy.try_shutdown()


@pytest.fixture
def graph(ros_domain: int) -> Iterator[Callable[..., Graph]]:
    made: list[Graph] = []

    def start(*node_types: type) -> Graph:
        made.append(Graph(*node_types))
        return made[-1]

    yield start
    for one in made:
        one.close()


def joints(names: tuple[str, ...], at_s: int) -> JointState:
    message = JointState(name=list(names), position=[0.1] * len(names), velocity=[0.0] * len(names))
    message.header.stamp.sec = at_s
    return message


@pytest.mark.filterwarnings("ignore")
def test_the_frames_are_one_tree_with_one_publisher_for_every_edge(graph: Callable[..., Graph]) -> None:
    g = graph(CalibrationPublisher, RobotStateNode)
    fixed = g.listen(TFMessage, "/tf_static", qos.recorded(10, reliable=True, latched=True))
    moving = g.listen(TFMessage, "/tf", qos.recorded(100, reliable=True, latched=False))
    whole = g.listen(JointState, "joint_states", 10)
    described = g.listen(String, "robot_description", qos.LATCHED)
    arm = g.listener.create_publisher(JointState, "right_arm/joint_states", qos.SENSOR)
    hand = g.listener.create_publisher(JointState, "right_hand/joint_states", qos.SENSOR)

    def measure() -> bool:
        arm.publish(joints(arm_joints("right"), 7))
        hand.publish(joints(hand_joints("right"), 8))
        return len(fixed) >= 2 and any(len(m.name) == 19 for m in whole) and bool(described)

    g.until(measure)
    stamps = {t.child_frame_id: t.header.stamp.sec for m in moving for t in m.transforms}
    assert stamps["right_link_1"] == 7
    assert stamps["right_hand_thumb_bend_link"] == 8
    edges = {(t.header.frame_id, t.child_frame_id) for m in moving for t in m.transforms}
    latched = [(t.header.frame_id, t.child_frame_id) for m in fixed for t in m.transforms]
    assert max(Counter(latched).values()) == 1
    assert not edges & set(latched)
    assert not any(child.startswith("left") for _, child in edges), "an arm that is not driven stands still"
    assert check_tree([*edges, *latched]) == "base_link"
    assert not any(name.startswith("left") for message in whole for name in message.name)
    assert "<robot" in described[0].data


def test_joints_that_are_not_measured_any_more_do_not_look_fresh(graph: Callable[..., Graph]) -> None:
    g = graph(RobotStateNode)
    moving = g.listen(TFMessage, "/tf", qos.recorded(100, reliable=True, latched=False))
    arm = g.listener.create_publisher(JointState, "right_arm/joint_states", qos.SENSOR)
    hand = g.listener.create_publisher(JointState, "right_hand/joint_states", qos.SENSOR)

    published: list[int] = []

    def seen(child: str) -> list[int]:
        return [t.header.stamp.sec for m in moving for t in m.transforms if t.child_frame_id == child]

    def measure() -> bool:
        published.append(len(published) + 1)
        arm.publish(joints(arm_joints("right"), published[-1]))
        return bool(seen("right_link_1"))

    g.until(measure)

    def goes_on_without_the_arm() -> bool:
        hand.publish(joints(hand_joints("right"), 8))
        return len(seen("right_hand_thumb_bend_link")) > 8

    g.until(goes_on_without_the_arm)
    assert max(Counter(seen("right_link_1")).values()) == 1


def test_two_consoles_on_one_machine_take_two_ports(graph: Callable[..., Graph]) -> None:
    g = graph(ConsoleNode, ConsoleNode)
    g.until(lambda: all(node.is_active for node in g.nodes))
    first, second = (node._server for node in g.nodes)
    assert first.port != second.port
    assert first.url.startswith("http://127.0.0.1:")


def test_the_rviz_configuration_shows_what_the_stack_publishes(repo_root: Any) -> None:
    config = yaml.safe_load((repo_root / "launch/config/vitra.rviz").read_text())["Visualization Manager"]
    page = (repo_root / "docs/interfaces.md").read_text()
    assert config["Global Options"]["Fixed Frame"] == "base_link"
    topics = [
        value for display in config["Displays"] for value in (
            display.get("Topic", {}).get("Value"), display.get("Description Topic", {}).get("Value"),
            display.get("Depth Map Topic"), display.get("Color Image Topic"),
        ) if value
    ]  # fmt: skip
    assert len(topics) >= 4
    for topic in topics:
        assert topic.lstrip("/") in page
