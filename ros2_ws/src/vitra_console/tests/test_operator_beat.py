"""The operator's heartbeat follows the presence, and falls silent while a STOP is on its way."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from builtin_interfaces.msg import Time

from vitra_console.operator_beat import OperatorBeat
from vitra_console.web.presence import Presence

pytestmark = pytest.mark.realtime

PATIENCE_S = 30.0


class FakeNode:
    """Counts what is published."""

    def __init__(self) -> None:
        self.beats = 0
        self.told = threading.Condition()

    def create_publisher(self, *_: Any) -> Any:
        return SimpleNamespace(publish=self._publish)

    def get_clock(self) -> Any:
        return SimpleNamespace(now=lambda: SimpleNamespace(to_msg=Time))

    def _publish(self, _: Any) -> None:
        with self.told:
            self.beats += 1
            self.told.notify_all()


def test_it_falls_silent_while_a_stop_is_on_its_way() -> None:
    """So a STOP whose service nobody hears still stops a robot that needs its operator."""
    node, presence, looks = FakeNode(), Presence(clock=lambda: 0.0), threading.Semaphore(0)
    presence.touch()
    wanted = threading.Event()

    def stop_wanted() -> bool:
        if wanted.is_set():
            looks.release()
        return wanted.is_set()

    beat = OperatorBeat(node, presence, stop_wanted)
    try:
        with node.told:
            assert node.told.wait_for(lambda: node.beats >= 2, PATIENCE_S)
        wanted.set()
        assert looks.acquire(timeout=PATIENCE_S)
        before = node.beats
        for _ in range(3):
            assert looks.acquire(timeout=PATIENCE_S)
        assert node.beats == before
        wanted.clear()
        with node.told:
            assert node.told.wait_for(lambda: node.beats > before, PATIENCE_S)
    finally:
        beat.close()
