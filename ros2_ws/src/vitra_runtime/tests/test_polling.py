"""Polled topics: nothing wakes up, nothing that came is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import rclpy
from rclpy.node import Node
from std_msgs.msg import String

from vitra_runtime import qos
from vitra_runtime.polling import PolledTopics


@pytest.fixture
def node(ros_domain: int) -> Iterator[Node]:
    rclpy.init(domain_id=ros_domain)
    made = Node("reader", namespace="/robot")
    yield made
    made.destroy_node()
    rclpy.try_shutdown()


def until(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 15.0
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.002)


def test_what_came_is_taken_in_order_with_the_time_of_its_arrival(node: Node) -> None:
    polled = PolledTopics(node, "words")
    words = polled.subscribe(String, "words", qos.RECORD)
    publisher = node.create_publisher(String, "words", qos.SENSOR)
    until(publisher.get_subscription_count)
    before_ns = time.time_ns()
    for number in range(20):
        publisher.publish(String(data=str(number)))
    taken: list[tuple[String, int]] = []
    until(lambda: taken.extend(words.take()) or len(taken) == 20)
    assert [message.data for message, _ in taken] == [str(number) for number in range(20)]
    arrivals_ns = [arrival_ns for _, arrival_ns in taken]
    assert arrivals_ns == sorted(arrivals_ns)
    assert before_ns <= arrivals_ns[0] <= arrivals_ns[-1] <= time.time_ns()
    assert list(words.take()) == []
    polled.close()


def test_only_as_many_wait_as_the_history_is_deep_and_raw_bytes_stay_raw(node: Node) -> None:
    polled = PolledTopics(node, "newest")
    newest = polled.subscribe(String, "words", qos.SETPOINT, raw=True)
    everything = polled.subscribe(String, "words", qos.RECORD)
    publisher = node.create_publisher(String, "words", qos.SENSOR)
    until(lambda: publisher.get_subscription_count() == 2)
    for number in range(5):
        publisher.publish(String(data=str(number)))
    seen: list[tuple[String, int]] = []
    until(lambda: seen.extend(everything.take()) or len(seen) == 5)
    waiting = [raw for raw, _ in newest.take()]
    assert [b"4" in raw for raw in waiting] == [True]
    polled.close()
