"""What an operator's keys do about STOP and re-arm: asked for in the state that was seen, said when it happened."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from vitra_msgs.msg import SafetyState
from vitra_teleop.keyboard import stop_first
from vitra_teleop.orders import SupervisorOrders


class FakeAnswer:
    def __init__(self) -> None:
        self.then: Any = None

    def add_done_callback(self, then: Any) -> None:
        self.then = then

    def come(self, success: bool, message: str) -> None:
        self.then(SimpleNamespace(result=lambda: SimpleNamespace(success=success, message=message)))


class FakeClient:
    def __init__(self) -> None:
        self.there, self.asked, self.answer = True, [], FakeAnswer()

    def service_is_ready(self) -> bool:
        return self.there

    def call_async(self, request: Any) -> FakeAnswer:
        self.asked.append(request)
        return self.answer


class FakeNode:
    def __init__(self) -> None:
        self.clients: dict[str, FakeClient] = {}
        self.hear: Any = None

    def create_client(self, _: Any, name: str) -> FakeClient:
        self.clients[name.rsplit("/", 1)[1]] = FakeClient()
        return self.clients[name.rsplit("/", 1)[1]]

    def create_subscription(self, _: Any, __: str, callback: Any, ___: Any) -> None:
        self.hear = callback


@pytest.fixture
def bench() -> SimpleNamespace:
    node, said = FakeNode(), []
    return SimpleNamespace(node=node, said=said, orders=SupervisorOrders(node, None, said.append))


def test_a_stop_is_said_when_it_was_answered_and_not_before(bench: SimpleNamespace) -> None:
    assert bench.orders.stop()
    assert bench.said == []
    bench.node.clients["stop"].answer.come(True, "stopped, epoch 7")
    assert bench.said == ["STOP: stopped, epoch 7"]


def test_a_stop_that_nobody_hears_says_so(bench: SimpleNamespace) -> None:
    bench.node.clients["stop"].there = False
    assert not bench.orders.stop()
    assert "NOT STOPPED" in bench.said[0]


def test_a_rearm_carries_the_state_that_was_seen_and_a_refusal_its_reason(bench: SimpleNamespace) -> None:
    assert not bench.orders.rearm(), "nothing was seen yet"
    bench.node.hear(SafetyState(epoch=12, stops=3))
    assert bench.orders.rearm()
    request = bench.node.clients["rearm_from"].asked[0]
    assert (request.epoch, request.stops) == (12, 3)
    bench.node.clients["rearm_from"].answer.come(False, "not ready: camera")
    assert bench.said[-1] == "re-arm REFUSED: not ready: camera"


@pytest.mark.parametrize(
    ("typed", "obeyed"), [("wwa", "wwa"), ("nwx", "x"), ("ax", "x"), ("xa", "xa"), ("axaxw", "xw")]
)
def test_a_stop_comes_before_whatever_was_typed_with_it_and_voids_what_was_typed_before(
    typed: str, obeyed: str
) -> None:
    assert stop_first(typed) == obeyed
