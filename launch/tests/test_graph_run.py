"""A graph does not outlive the program that started it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

_PROGRAM = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as the shell does for a command that a script puts behind it
from vitra_bringup.graph_run import GraphRun

waits = (sys.executable, "-c", "import time; time.sleep(600)")
graph = GraphRun("demo.launch.xml", {}, Path(sys.argv[1]), launcher=waits)
print(graph.launcher_pid, flush=True)
sys.stdin.read()
"""


def test_a_launcher_ends_with_a_program_that_is_killed_though_ctrl_c_is_ignored(
    tmp_path: Path, ros_domain: int
) -> None:
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    parent = subprocess.Popen(
        [sys.executable, str(program), str(tmp_path / "launch.log")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "ROS_DOMAIN_ID": str(ros_domain)},
    )  # fmt: skip
    assert parent.stdout is not None
    launcher = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait(20)
    _, alive = psutil.wait_procs([launcher], 20)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
