"""The shipped launch file of the stack, read as the launcher reads it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vitra_launch.launch_file import load

STACK = Path(__file__).parents[1] / "stack.launch.xml"


@pytest.fixture
def nodes():
    """Node names and command lines of the stack with some arguments."""

    def _nodes(**given: str) -> dict[str, str]:
        launch = load(STACK, given, dict(os.environ))
        return {process.label: " ".join(process.command) for process in launch.processes}

    return _nodes


def test_the_supervisor_waits_for_every_node_of_the_stack(nodes) -> None:
    found = nodes(arms="right")
    required = "required_nodes:=[head_camera, calibration_publisher, policy, retarget, executor, recorder]"
    assert required in found["safety_supervisor"]
    assert {"calibration_publisher", "policy", "retarget", "executor", "recorder"} <= set(found)


def test_a_stack_without_a_recorder_does_not_wait_for_one(nodes) -> None:
    found = nodes(arms="right", recorder="false")
    assert "recorder" not in found
    assert "retarget, executor]" in found["safety_supervisor"]
    assert "recorder" not in found["safety_supervisor"]
