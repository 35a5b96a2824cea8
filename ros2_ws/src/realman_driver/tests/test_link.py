"""The link with a scripted child and a clock of its own: every deadline without waiting."""

from __future__ import annotations

import math
import socket
from typing import Any

import pytest

from realman_driver import frames
from realman_driver.frames import EventKind, LinkConfig, Operation
from realman_driver.link import LinkState, SdkLink
from realman_driver.units import SetpointError

HOME = [0.1] * 7


class ScriptedChild:
    """Stands for the process: the test speaks for it."""

    def __init__(self, pipe: socket.socket) -> None:
        self.pipe = pipe.dup()
        self.pid = 1234
        self.killed = False
        self.config = None

    def hear(self) -> list[Any]:
        heard = []
        while True:
            try:
                frame = self.pipe.recv(frames.MAX_FRAME_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return heard
            if frame[:1] == b"{":
                self.config = frames.unpack_config(frame)
            else:
                heard.append(frames.unpack_order(frame))

    def say(self, frame: bytes) -> None:
        self.pipe.send(frame)

    def push(self, time_s: float, handled: int = 0) -> None:
        zeros = (0,) * 7
        self.say(frames.pack_feedback(frames.Feedback(0, time_s, handled, 0, 0, zeros, zeros, zeros, 127, (), ())))

    def kill(self) -> None:
        self.killed = True
        self.pipe.close()

    def wait(self, timeout: float | None = None) -> int:
        return 0


class Bench:
    def __init__(self) -> None:
        self.now_s = 100.0
        self.children: list[ScriptedChild] = []
        self.link = SdkLink(LinkConfig("10.0.0.1"), spawn=self._spawn, clock=lambda: self.now_s)

    def _spawn(self, pipe: socket.socket) -> Any:
        self.children.append(ScriptedChild(pipe))
        return self.children[-1]

    @property
    def child(self) -> ScriptedChild:
        return self.children[-1]

    def pass_time(self, seconds: float, *, pushing: bool = True) -> list[Any]:
        reports = []
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s += 0.05
            if pushing and not self.child.killed:
                self.child.push(self.now_s)
            reports.append(self.link.poll(0.0))
        return reports

    def connect(self) -> None:
        self.link.poll(0.0)
        self.child.hear()
        self.child.say(frames.pack_event(EventKind.CONNECTED, "RM_75-6F"))
        self.link.poll(0.0)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def connected(bench: Bench) -> Bench:
    bench.connect()
    return bench


def test_the_child_gets_its_configuration_first(connected: Bench) -> None:
    assert connected.child.config == LinkConfig("10.0.0.1")
    assert connected.link.state is LinkState.UP
    assert connected.link.identity == "RM_75-6F"


def test_nothing_is_streamed_before_the_connection(bench: Bench) -> None:
    assert not bench.link.stream(HOME, judged_s=bench.now_s)
    bench.link.poll(0.0)
    assert not bench.link.stream(HOME, judged_s=bench.now_s)
    assert not bench.link.request(Operation.STOP)
    assert bench.child.hear() == []


def test_setpoints_are_numbered_and_passed_on(connected: Bench) -> None:
    assert connected.link.stream(HOME, judged_s=connected.now_s)
    assert connected.link.stream([0.2] * 7, judged_s=connected.now_s)
    assert connected.child.hear() == [
        frames.Setpoint(1, 100.0, False, (0.1,) * 7),
        frames.Setpoint(2, 100.0, False, (0.2,) * 7),
    ]


@pytest.mark.parametrize("bad", [[math.nan] * 7, [0.0] * 6, [9.0] * 7])
def test_bad_numbers_do_not_even_reach_the_child(connected: Bench, bad: list[float]) -> None:
    with pytest.raises(SetpointError):
        connected.link.stream(bad, judged_s=connected.now_s)
    assert connected.child.hear() == []


def test_a_failed_connection_says_why_and_is_tried_again_after_the_pause(bench: Bench) -> None:
    bench.link.poll(0.0)
    bench.child.say(frames.pack_event(EventKind.FAILED, "no Realman controller answers at 10.0.0.1:8080"))
    bench.link.poll(0.0)
    assert bench.link.state is LinkState.DOWN
    assert "10.0.0.1:8080" in bench.link.problem
    bench.pass_time(0.8)
    assert len(bench.children) == 1
    bench.pass_time(0.4)
    assert len(bench.children) == 2


def test_a_connection_attempt_that_hangs_is_killed(bench: Bench) -> None:
    bench.link.poll(0.0)
    bench.pass_time(5.2, pushing=False)
    assert bench.children[0].killed
    assert "took more than 5 s" in bench.link.problem


def test_a_stop_that_never_returns_gets_the_child_killed(connected: Bench) -> None:
    connected.link.request(Operation.STOP)
    reports = connected.pass_time(0.9)
    assert connected.children[0].killed
    assert any(isinstance(r, frames.Event) and "did not return from stop" in r.detail for r in reports)


def test_an_answered_stop_keeps_the_connection(connected: Bench) -> None:
    connected.link.request(Operation.SLOW_STOP)
    connected.child.say(frames.pack_ack(1, 0))
    connected.pass_time(2.0)
    assert connected.link.state is LinkState.UP


def test_a_stop_that_the_sdk_could_not_send_ends_the_connection(connected: Bench) -> None:
    connected.link.request(Operation.STOP)
    connected.child.say(frames.pack_ack(1, -2))
    connected.link.poll(0.0)
    assert connected.link.state is LinkState.DOWN
    assert connected.link.problem == "stop returned -2 (no answer in time)"


def test_a_setpoint_that_is_not_taken_gets_the_child_killed(connected: Bench) -> None:
    connected.link.stream(HOME, judged_s=connected.now_s)
    connected.pass_time(0.9)
    assert connected.children[0].killed
    assert "did not take a setpoint" in connected.link.problem


def test_setpoints_that_are_taken_keep_the_connection(connected: Bench) -> None:
    for number in range(1, 60):
        connected.link.stream(HOME, judged_s=connected.now_s)
        connected.now_s += 0.05
        connected.child.push(connected.now_s, handled=number - 1)
        connected.link.poll(0.0)
    assert connected.link.state is LinkState.UP


def test_silence_of_the_state_push_ends_the_connection_and_names_the_port(connected: Bench) -> None:
    connected.pass_time(1.2, pushing=False)
    assert connected.link.state is LinkState.DOWN
    assert "UDP port 8089" in connected.link.problem


def test_a_child_that_dies_is_replaced(connected: Bench) -> None:
    connected.child.pipe.close()
    connected.link.poll(0.0)
    assert "ended unexpectedly" in connected.link.problem
    connected.pass_time(1.2, pushing=False)
    assert len(connected.children) == 2


def test_numbering_starts_anew_with_each_child(connected: Bench) -> None:
    connected.link.stream(HOME, judged_s=connected.now_s)
    connected.child.kill()
    connected.link.poll(0.0)
    connected.pass_time(1.1, pushing=False)
    connected.connect()
    connected.link.stream(HOME, judged_s=connected.now_s)
    assert [order.number for order in connected.child.hear()] == [1]
