from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node

from vitra_msgs.msg import Heartbeat
from vitra_runtime import qos
from vitra_runtime.discovery_check import DeafError, DiscoveryCheck
from vitra_runtime.polling import PolledTopics

GRACE_S, PATIENCE_S = 1.5, 8.0


def test_whoever_is_listed_is_missing_until_it_is_heard_once() -> None:
    hearing = DiscoveryCheck(GRACE_S, PATIENCE_S)
    graph = ["/executor", "/policy", "/retarget"]
    assert hearing.update(graph, ["/executor"], 0.0) == []
    assert hearing.silent == ["/policy", "/retarget"]
    assert hearing.update(graph, [], GRACE_S + 0.1) == ["/policy", "/retarget"]
    assert hearing.update(graph, ["/policy", "/retarget"], 2.0) == []
    assert hearing.silent == []
    assert hearing.update(graph, [], 100.0) == []


def test_two_of_many_that_stay_unheard_are_deafness_too() -> None:
    hearing = DiscoveryCheck(GRACE_S, PATIENCE_S)
    heard = [f"/node_{n}" for n in range(7)]
    hearing.update([*heard, "/executor", "/policy"], heard, 0.0)
    with pytest.raises(DeafError, match="Does not hear /executor, /policy: listed"):
        hearing.update([*heard, "/executor", "/policy"], [], PATIENCE_S + 0.1)


def test_nodes_that_leave_are_not_missed() -> None:
    hearing = DiscoveryCheck(GRACE_S, PATIENCE_S)
    graph = ["/executor", "/policy"]
    hearing.update(graph, [], 0.0)
    assert hearing.update([], [], PATIENCE_S) == []
    assert hearing.update(graph, [], PATIENCE_S + 5.0) == []
    assert hearing.update(graph, [], PATIENCE_S + 7.0) == graph


def test_silence_beyond_the_patience_is_deafness() -> None:
    hearing = DiscoveryCheck(GRACE_S, PATIENCE_S)
    graph = ["/executor", "/policy", "/retarget"]
    hearing.update(graph, ["/executor"], 0.0)
    hearing.update(graph, [], PATIENCE_S)
    with pytest.raises(DeafError, match="Does not hear /policy, /retarget: listed for 8 s"):
        hearing.update(graph, [], PATIENCE_S + 0.1)


@pytest.mark.parametrize("others", [0, 1, 3])
def test_one_mute_node_is_nobody_s_deafness(others: int) -> None:
    hearing = DiscoveryCheck(GRACE_S, PATIENCE_S)
    heard = [f"/node_{n}" for n in range(others)]
    hearing.update([*heard, "/mute"], heard, 0.0)
    assert hearing.update([*heard, "/mute"], [], 10 * PATIENCE_S) == []
    assert hearing.silent == ["/mute"]


CODE = """
import sys
from dataclasses import dataclass
from vitra_runtime import node
from vitra_runtime.parameters import param

@dataclass(frozen=True, slots=True)
class Parameters:
    unused: bool = param(False, "Nothing")

class Toy(node.StackNode[Parameters]):
    def __init__(self):
        super().__init__("toy", Parameters)
        if sys.argv[2:] == ["hangs"]:
            self.create_timer(0.5, sys.stdin.readline)

node.HEARD_WITHIN_S, node.DEAF_AFTER_S, node.HANGS_AFTER_S = 0.5, float(sys.argv[1]), 1.0
sys.exit(node.run(Toy))
"""


class Mute:
    """Two nodes that are listed as sources of heartbeats."""

    def __init__(self) -> None:
        self.context = Context()
        rclpy.init(context=self.context)
        self.node = Node("mute", context=self.context)
        nodes = {"/mute": self.node, "/mute_too": Node("mute_too", context=self.context)}
        self._publishers = {
            name: node.create_publisher(Heartbeat, "heartbeat", qos.HEARTBEAT) for name, node in nodes.items()
        }
        self._topics = PolledTopics(self.node, "ears")
        self._heartbeats = self._topics.subscribe(Heartbeat, "heartbeat", qos.HEARTBEAT)
        self._pause = threading.Event()

    def speak(self) -> None:
        for name, publisher in self._publishers.items():
            publisher.publish(Heartbeat(node=name))

    def wait_for(self, state: int, detail: str = "") -> None:
        """Until the toy's heartbeat says so; speaks meanwhile unless it waits to be missed."""
        for _ in range(400):
            if any((m.node, m.state) == ("/toy", state) and detail in m.detail for m, _ in self._heartbeats.take()):
                return
            if "does not hear" not in detail:
                self.speak()
            self._pause.wait(0.05)
        pytest.fail(f"the toy never said {state} '{detail}'")


@pytest.fixture
def mute(ros_domain: int) -> Iterator[Mute]:
    mute = Mute()
    yield mute
    rclpy.shutdown(context=mute.context)


def start(tmp_path: Path, patience_s: float, *options: str) -> subprocess.Popen[str]:
    script = tmp_path / "toy.py"
    script.write_text(CODE)
    command = [sys.executable, str(script), str(patience_s), *options]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_node_reports_a_fault_until_it_hears_the_others(mute: Mute, tmp_path: Path) -> None:
    process = start(tmp_path, 60.0)
    try:
        mute.wait_for(Heartbeat.FAULT, "does not hear /mute, /mute_too")
        mute.wait_for(Heartbeat.ACTIVE)
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_a_process_that_stays_deaf_ends_and_says_why(mute: Mute, tmp_path: Path) -> None:
    process = start(tmp_path, 2.0)
    words, _ = process.communicate(timeout=30)
    assert "Does not hear /mute, /mute_too: listed for 2 s" in words
    assert process.returncode == 1


def test_a_node_whose_callbacks_hang_is_a_fault_until_they_return(mute: Mute, tmp_path: Path) -> None:
    process = start(tmp_path, 60.0, "hangs")
    assert process.stdin is not None
    try:
        mute.wait_for(Heartbeat.FAULT, "hangs: its callbacks have not returned")
        process.stdin.close()  # every read returns at once from now on
        mute.wait_for(Heartbeat.ACTIVE)
    finally:
        process.stdin.close()
        process.terminate()
        process.wait(timeout=20)
    assert process.returncode == 0
