"""A controller double with an arm that has no physics, and links to it."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from realman_driver.frames import LinkConfig
from vitra_description.postures import home
from vitra_sim.doubles.realman import RealmanDouble
from vitra_sim.doubles.realman_kinematic import KinematicArm

sys.path.insert(0, str(Path(__file__).parent))  # arm_bench
DEADLINE_S = 10.0


def free_udp_port() -> int:
    """A port that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def wait_for() -> Callable[[Callable[[], Any]], Any]:
    """Wait until a condition holds; returns its last value."""

    def wait(condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
        end_s = time.monotonic() + deadline_s
        while not (value := condition()) and time.monotonic() < end_s:
            threading.Event().wait(0.005)
        return value

    return wait


@pytest.fixture
def double() -> Iterator[RealmanDouble]:
    """A left arm in its home posture, on free ports."""
    with RealmanDouble(KinematicArm(home("left")), tcp_port=0, udp_port=free_udp_port()) as controller:
        yield controller


@pytest.fixture
def link_config(double: RealmanDouble) -> LinkConfig:
    """How to reach it."""
    return LinkConfig(arm_ip=double.ip, tcp_port=double.tcp_port, udp_port=free_udp_port())
