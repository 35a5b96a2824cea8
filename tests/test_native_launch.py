"""The genuine `ros2 launch` brings the simulated robot up, and the expert places the object (where it is installed)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from light_graph import light_config

from vitra_bringup.graph_run import GraphRun

pytestmark = [
    pytest.mark.graph,
    pytest.mark.timeout(300),
    pytest.mark.skipif(importlib.util.find_spec("ros2launch") is None, reason="ros2 launch is not installed"),
]
ROS2_LAUNCH = (
    sys.executable, "-c", "import sys; from ros2cli.cli import main; sys.exit(main())", "launch", "vitra_bringup",
)  # fmt: skip


def test_the_expert_places_the_object_under_the_native_tool(tmp_path: Path, ros_domain: int) -> None:
    arguments = {
        "policy": "expert", "record": "false", "bag": str(tmp_path / "bag"), "console": "false",
        "config": light_config(tmp_path),
    }  # fmt: skip
    with GraphRun("sim.launch.xml", arguments, tmp_path / "launch.log", ros_domain, ROS2_LAUNCH) as graph:
        graph.wait_ready()
        graph.client.rearm()
        graph.client.home()
        success, reason = graph.client.run_until_success(graph.client.reset_sim("place_cube_in_box", 1), 90.0)
        stops = len(graph.client.stops)
    print(graph.log.read_text()[-3000:])
    assert success, reason
    assert stops == 0
