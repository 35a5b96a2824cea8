"""The launcher is lost while the arm moves: the robot holds, the cause is named, and no process is left behind."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
from arm_watch import Watcher, rest_after_s
from light_graph import light_config

from vitra_bringup.graph_run import VITRA_LAUNCH, GraphRun
from vitra_msgs.msg import SafetyState

pytestmark = [pytest.mark.graph, pytest.mark.timeout(240)]

HOLD_S = 0.150  # from the moment that the loss was noticed
STOP_S = 1.0  # from the moment of the loss
GONE_S = 5.0
ROS2_LAUNCH = (
    sys.executable, "-c", "import sys; from ros2cli.cli import main; sys.exit(main())", "launch", "vitra_bringup",
)  # fmt: skip
needs_ros2 = pytest.mark.skipif(importlib.util.find_spec("ros2launch") is None, reason="ros2 launch is not installed")


@pytest.mark.parametrize(
    ("launcher", "number"),
    [
        pytest.param(VITRA_LAUNCH, signal.SIGKILL, id="vitra-launch-SIGKILL"),
        pytest.param(VITRA_LAUNCH, signal.SIGHUP, id="vitra-launch-SIGHUP"),
        pytest.param(VITRA_LAUNCH, signal.SIGTERM, id="vitra-launch-SIGTERM", marks=pytest.mark.slow),
        pytest.param(ROS2_LAUNCH, signal.SIGKILL, id="ros2-launch-SIGKILL", marks=needs_ros2),
        pytest.param(ROS2_LAUNCH, signal.SIGHUP, id="ros2-launch-SIGHUP", marks=needs_ros2),
        pytest.param(ROS2_LAUNCH, signal.SIGTERM, id="ros2-launch-SIGTERM", marks=needs_ros2),
    ],
)
def test_the_robot_holds_and_every_process_ends(
    tmp_path: Path, ros_domain: int, launcher: tuple[str, ...], number: int
) -> None:
    trace = tmp_path / "motion.jsonl"
    arguments = {"motion_trace": str(trace), "bag": str(tmp_path / "bag"), "config": light_config(tmp_path)}
    with GraphRun("demo.launch.xml", arguments, tmp_path / "launch.log", ros_domain, launcher) as graph:
        client = graph.client
        watcher = Watcher(client)
        graph.wait_ready()
        client.rearm()
        client.home()
        instruction = client.reset_sim("place_cube_in_box", 0)
        ended = client.result_of(client.start_policy(instruction, 60.0))
        client.wait_for(lambda: ended.done() or watcher.moves_by_a_chunk, 20.0, "the arm to move")
        assert not ended.done(), ended.result().result
        left = [psutil.Process(graph.launcher_pid), *psutil.Process(graph.launcher_pid).children(recursive=True)]
        stops = len(client.stops)
        lost_s, lost = time.time(), time.monotonic()
        os.kill(graph.launcher_pid, number)

        client.wait_for(lambda: len(client.stops) > stops, 10.0, "the latched stop")
        _, alive = psutil.wait_procs(left, max(0.0, lost + GONE_S - time.monotonic()))
        alive = [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]  # ended; nobody asked how
        print(graph.log.read_text()[-6000:])
        print(f"all gone after {time.monotonic() - lost:.2f} s")
        assert alive == []
    stop: SafetyState = client.stops[-1]
    assert (stop.stop_cause, stop.stop_source) == ("launcher_lost", "launcher")
    noticed_s = stop.stopped_at.sec + stop.stopped_at.nanosec * 1e-9
    print(f"noticed after {noticed_s - lost_s:.3f} s, still {rest_after_s(trace, 'right', noticed_s):.3f} s later")
    assert rest_after_s(trace, "right", noticed_s) <= HOLD_S
    assert rest_after_s(trace, "right", lost_s) <= STOP_S
