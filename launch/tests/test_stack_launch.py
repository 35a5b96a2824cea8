"""The shipped launch file of the stack, read as the launcher reads it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from vitra_launch.launch_file import load

STACK = Path(__file__).parents[1] / "stack.launch.xml"


@pytest.fixture
def nodes(tmp_path: Path):
    """Node names and command lines of the stack with some arguments."""

    def _nodes(**given: str) -> dict[str, list[str]]:
        launch = load(STACK, given, dict(os.environ))
        return {process.label: process.words(tmp_path) for process in launch.processes}

    return _nodes


def required_nodes(found: dict[str, list[str]]) -> list[str]:
    """Names that the supervisor waits for; it passes over empty ones."""
    (value,) = (
        w.removeprefix("required_nodes:=") for w in found["safety_supervisor"] if w.startswith("required_nodes")
    )
    return [name for name in yaml.safe_load(value) if name]


def test_every_process_ends_with_its_launcher(tmp_path: Path) -> None:
    for path in STACK.parent.glob("*.launch.xml"):
        for process in load(path, {"session": "s"} if "evaluate" in path.name else {}, dict(os.environ)).processes:
            assert process.environment["VITRA_END_WITH_PARENT"] == "1", (path.name, process.label)


def test_the_supervisor_waits_for_every_node_of_the_stack(nodes) -> None:
    found = nodes(arms="right")
    assert required_nodes(found) == [
        "head_camera", "calibration_publisher", "policy", "retarget", "executor", "recorder",
    ]  # fmt: skip
    assert {"calibration_publisher", "policy", "retarget", "executor", "recorder"} <= set(found)


def test_a_stack_without_a_recorder_does_not_wait_for_one(nodes) -> None:
    found = nodes(arms="right", recorder="false")
    assert "recorder" not in found
    assert "recorder" not in required_nodes(found)
