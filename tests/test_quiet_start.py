"""Ctrl-C while a node is still importing: no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = sorted(
    f.parent.name
    for f in (Path(__file__).parents[1] / "ros2_ws/src").glob("*/*/__init__.py")
    if f.parent.name == f.parents[1].name
)
INTERRUPT = "import {package}, os, signal; os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(10)"


@pytest.mark.parametrize("package", [name for name in PACKAGES if name != "vitra_msgs"])
def test_a_node_that_is_interrupted_while_it_imports_says_nothing(package: str) -> None:
    command = [sys.executable, "-c", INTERRUPT.format(package=package), "--ros-args"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == -2
    assert run.stderr == ""


def test_a_program_that_is_no_node_keeps_its_own_ctrl_c() -> None:
    command = [sys.executable, "-c", INTERRUPT.format(package="vitra_control")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "KeyboardInterrupt" in run.stderr
