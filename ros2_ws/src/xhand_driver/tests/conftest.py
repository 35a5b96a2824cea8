"""Two simulated hands behind the double of the vendor's SDK."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from vitra_sim.doubles.ports import JointState
from vitra_sim.doubles.xhand_sdk import xhand_control
from vitra_sim.doubles.xhand_server import XHandServer


class StillHand:
    """A hand that is at its target at once, with a current that never repeats."""

    def __init__(self, side: str) -> None:
        self.side = side
        self.position = np.full(12, 0.1)
        self.effort = np.zeros(12)
        self.reads = 0

    def joint_state(self) -> JointState:
        self.reads += 1
        effort = self.effort.copy()
        effort[0] += 0.01 * (self.reads % 7)
        return JointState(self.position.copy(), np.zeros(12), effort, 0.0)

    def set_target(self, position_rad: np.ndarray) -> None:
        self.position = np.array(position_rad)

    def target(self) -> np.ndarray:
        return self.position.copy()


@pytest.fixture
def hands() -> dict[str, StillHand]:
    """The simulated joints."""
    return {side: StillHand(side) for side in ("left", "right")}


@pytest.fixture
def server(hands: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[XHandServer]:
    """Serves them at the address that the SDK double looks at."""
    with XHandServer(hands, tcp_port=0) as running:
        monkeypatch.setenv(xhand_control.SERVER_VARIABLE, running.address)
        yield running


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait for a condition with a deadline."""

    def wait(condition: Callable[[], bool], timeout_s: float = 15.0) -> None:
        deadline_s = time.monotonic() + timeout_s
        pause = threading.Event()
        while not condition():
            assert time.monotonic() < deadline_s, "the condition did not come true in time"
            pause.wait(0.005)

    return wait
