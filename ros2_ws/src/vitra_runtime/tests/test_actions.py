"""Long actions: they end when told, and waiting for that costs nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rclpy
from rclpy.action import ActionClient
from rclpy.action.server import ServerGoalHandle
from rclpy.experimental import EventsExecutor
from rclpy.node import Node

from vitra_msgs.action import RunPolicy
from vitra_runtime.actions import long_action_server


class Graph:
    """A server and a client in one executor that counts its turns."""

    def __init__(self) -> None:
        self.node = Node("acting")
        self.goals: list[ServerGoalHandle] = []
        self.accepting = True
        self.server = long_action_server(self.node, RunPolicy, "run", self.goals.append, lambda: self.accepting)
        self.client = ActionClient(self.node, RunPolicy, "run")
        self.executor = EventsExecutor()
        self.executor.add_node(self.node)
        self.turns = 0

    def until(self, condition: Callable[[], Any]) -> Any:
        deadline_s = time.monotonic() + 20.0
        while not (value := condition()):
            assert time.monotonic() < deadline_s, "waited in vain"
            self.executor.spin_once(timeout_sec=0.05)
            self.turns += 1
        return value

    def send(self) -> Any:
        self.until(self.client.server_is_ready)
        sent = self.client.send_goal_async(RunPolicy.Goal(instruction="x"))
        self.until(sent.done)
        return sent.result()


@pytest.fixture
def graph(ros_domain: int) -> Iterator[Graph]:
    rclpy.init(domain_id=ros_domain)
    made = Graph()
    yield made
    made.server.destroy()
    made.node.destroy_node()
    rclpy.try_shutdown()


def succeed(goal: ServerGoalHandle) -> RunPolicy.Result:
    goal.succeed()
    return RunPolicy.Result(termination_reason="done")


def test_a_goal_lasts_until_the_node_ends_it(graph: Graph) -> None:
    handle = graph.send()
    assert handle.accepted
    result = handle.get_result_async()
    graph.executor.spin_once(timeout_sec=0.05)
    assert not result.done()
    graph.goals[0].execute(succeed)
    graph.until(result.done)
    assert result.result().result.termination_reason == "done"


def test_an_executor_with_a_goal_under_way_has_nothing_to_do(graph: Graph) -> None:
    graph.send()
    graph.turns, begin_s = 0, time.monotonic()
    graph.until(lambda: time.monotonic() - begin_s > 0.5)
    assert graph.turns < 100, "it polls"


def test_a_goal_may_be_canceled_and_one_that_is_not_wanted_is_rejected(graph: Graph) -> None:
    handle = graph.send()
    canceling = handle.cancel_goal_async()
    graph.until(canceling.done)
    assert graph.goals[0].is_cancel_requested
    graph.accepting = False
    assert not graph.send().accepted
