"""kill -9 of any node while the arm moves: it holds, the cause is named, and re-arming works after the respawn."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from arm_watch import Watcher, rest_after_s
from light_graph import light_config

from vitra_bringup.graph_run import GraphRun
from vitra_msgs.msg import SafetyState

pytestmark = [pytest.mark.graph, pytest.mark.timeout(240)]

HOLD_S = 0.150
NODES = [
    "sim_camera", "calibration_publisher", "right_arm_driver", "right_hand_driver", "policy", "retarget", "executor",
    "recorder", "safety_supervisor",
]  # fmt: skip


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults") / "motion.jsonl"


class Graphs:
    """One graph for all tests, and a new one after a test that did not end well: its second try needs one."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace
        self._made = 0
        self._run: GraphRun | None = None
        self.watcher: Watcher | None = None
        self.is_spoiled = False

    def present(self) -> GraphRun:
        if self._run is None or self.is_spoiled:
            self.stop()
            self._made += 1
            folder = self._trace.parent / str(self._made)
            folder.mkdir()
            arguments = {
                "motion_trace": str(self._trace), "bag": str(folder / "bag"), "config": light_config(folder),
            }  # fmt: skip
            domain = 30 + os.getpid() % 60
            self._run = GraphRun("demo.launch.xml", arguments, folder / "launch.log", domain)
            self._run.wait_ready()
            self.watcher = Watcher(self._run.client)
        self.is_spoiled = True  # until the test has come to its end
        return self._run

    def stop(self) -> None:
        if self._run is not None:
            self._run.stop()
            self._run = None


@pytest.fixture(scope="module")
def graphs(trace: Path) -> Iterator[Graphs]:
    made = Graphs(trace)
    yield made
    made.stop()


@pytest.fixture
def graph(graphs: Graphs) -> GraphRun:
    return graphs.present()


@pytest.fixture
def watcher(graph: GraphRun, graphs: Graphs) -> Watcher:
    assert graphs.watcher is not None
    return graphs.watcher


@pytest.fixture(autouse=True)
def _shows_the_log_of_a_failure(graph: GraphRun) -> Iterator[None]:
    before = graph.log.stat().st_size
    yield
    print(graph.log.read_text()[before:])


@pytest.mark.parametrize("node", NODES)
def test_the_arm_holds_when_a_node_is_killed(
    graphs: Graphs, graph: GraphRun, watcher: Watcher, trace: Path, node: str
) -> None:
    client = graph.client
    graph.wait_ready()
    client.rearm()
    client.home()
    instruction = client.reset_sim("place_cube_in_box", NODES.index(node))
    ended = client.result_of(client.start_policy(instruction, 60.0))
    client.wait_for(lambda: ended.done() or watcher.moves_by_a_chunk, 20.0, "the arm to move")
    assert not ended.done(), ended.result().result
    processes = len(graph.pids[node])
    stops = len(client.stops)
    watcher.stop_causes.clear()
    os.kill(graph.pid(node), signal.SIGKILL)

    if node == "safety_supervisor":
        # Nobody is left to say so but the drivers, who miss the permit.
        client.wait_for(
            lambda: any(cause.startswith("permit_missing") for cause in watcher.stop_causes), 10.0, "the driver to stop"
        )
    else:
        client.wait_for(lambda: len(client.stops) > stops, 10.0, "the latched stop")
        assert (client.stops[-1].stop_cause, client.stops[-1].stop_source) == ("heartbeat_lost", node)
    client.wait_for(lambda: len(graph.pids[node]) > processes, 20.0, f"{node} to be started again")
    # Nothing arms itself; a supervisor that was killed leaves its last word behind until its successor speaks.
    client.wait_for(
        lambda: client.safety is not None and client.safety.state != SafetyState.ARMED, 20.0, "the disarmed state"
    )
    graph.wait_ready()
    assert rest_after_s(trace, "right", watcher.last_command_s) <= HOLD_S
    graphs.is_spoiled = False
