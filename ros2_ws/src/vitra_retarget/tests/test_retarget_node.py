"""The retarget node over ROS: chunks through, bad ones counted, never a crash."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from vitra_description.names import CAMERA_FRAME
from vitra_msgs.msg import HandActionChunk, RobotChunk
from vitra_retarget.retarget_node import RetargetNode
from vitra_runtime import qos


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Poll until the condition holds or the deadline passes."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


class Bench:
    """The node under test beside one that talks to it."""

    def __init__(self) -> None:
        self.node = RetargetNode()
        self.peer = Node("peer")
        self.received: list[RobotChunk] = []
        self.peer.create_subscription(RobotChunk, "robot_chunk", self.received.append, qos.CHUNK)
        self.publisher = self.peer.create_publisher(HandActionChunk, "hand_action_chunk", qos.CHUNK)
        self._executor = SingleThreadedExecutor()
        for node in (self.node, self.peer):
            self._executor.add_node(node)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()
        ends = (self.publisher, self.node._publisher)
        assert wait_for(lambda: self.node.is_active and all(end.get_subscription_count() for end in ends))

    def close(self) -> None:
        self._executor.shutdown(timeout_sec=5.0)
        self.node.end()
        self.node.stop_beating()
        self.node.destroy_node()
        self.peer.destroy_node()

    def chunk(self, sequence: int, **changes: object) -> HandActionChunk:
        message = HandActionChunk(
            sequence=sequence,
            step_s=1 / 30,
            steps=4,
            actions=np.zeros(4 * 102, dtype=np.float32).tolist(),
            right_valid=True,
            source="policy",
            policy_id="test",
            publisher=7,
            instruction="Left hand: None. Right hand: Wave.",
        )
        message.header.frame_id = CAMERA_FRAME
        message.header.stamp.sec, message.header.stamp.nanosec = 123, 456
        for name, value in changes.items():
            setattr(message, name, value)
        return message


@pytest.fixture
def bench(ros_domain: int) -> Iterator[Bench]:
    rclpy.init(domain_id=ros_domain)
    made = Bench()
    yield made
    made.close()
    rclpy.shutdown()


def test_chunks_go_through_and_bad_ones_are_counted_without_stopping_the_rest(bench: Bench) -> None:
    bench.publisher.publish(bench.chunk(1))
    assert wait_for(lambda: len(bench.received) == 1)
    chunk = bench.received[0]
    assert (chunk.sequence, chunk.steps, chunk.right_valid, chunk.left_valid) == (1, 4, True, False)
    assert (chunk.header.stamp.sec, chunk.header.stamp.nanosec) == (123, 456), "the observation time is kept"
    assert (len(chunk.right_wrist), len(chunk.right_hand), len(chunk.left_wrist)) == (28, 48, 0)
    assert (chunk.source, chunk.policy_id) == ("policy", "test")
    bad = {
        "not_finite": {"actions": [float("nan")] * (4 * 102)},
        "wrong_length": {"actions": [0.0] * 7},
        "no_valid_hand": {"right_valid": False},
        "idle_hand": {"left_valid": True},
    }
    for sequence, (cause, changes) in enumerate(bad.items(), start=2):
        bench.publisher.publish(bench.chunk(sequence, **changes))
        assert wait_for(lambda cause=cause: bench.node.refused[cause] == 1)
    bench.publisher.publish(bench.chunk(9))
    assert wait_for(lambda: bench.received[-1].sequence == 9)
    assert len(bench.received) == 2
    assert bench.node.turned == 2


def test_a_second_source_of_chunks_is_a_named_fault_and_moves_nothing(bench: Bench) -> None:
    bench.publisher.publish(bench.chunk(1))
    assert wait_for(lambda: len(bench.received) == 1)
    bench.publisher.publish(bench.chunk(2, publisher=8))
    assert wait_for(lambda: bench.node.refused["second source"] == 1)
    assert not bench.node.is_active
    assert "second source of chunks" in bench.node._detail
    assert bench.node._cause == "second_source"
    assert wait_for(lambda: bench.node.is_active), "once there has been one source for a while"
    assert len(bench.received) == 1
