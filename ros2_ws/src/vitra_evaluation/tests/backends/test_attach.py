from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rcl_interfaces.msg import ParameterType, ParameterValue

from vitra_evaluation.backends.attach import NeededGraph, check_attached
from vitra_evaluation.errors import SessionError
from vitra_evaluation.plan.plan import Robot


class Graph:
    """Answers questions about the parameters of its nodes."""

    def __init__(
        self, policy: str, options: list[str], require_operator: bool, arms: str = "right", calibration: str = "sim"
    ) -> None:
        self._parameters = {
            "policy/get_parameters": {
                "policy": ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=policy),
                "policy_options": ParameterValue(type=ParameterType.PARAMETER_STRING_ARRAY, string_array_value=options),
            },
            "executor/get_parameters": {
                "arms": ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=arms),
                "calibration": ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=calibration),
            },
            "safety_supervisor/get_parameters": {
                "require_operator": ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=require_operator)
            },
        }

    def call(self, _: object, name: str, request: object) -> SimpleNamespace:
        return SimpleNamespace(values=[self._parameters[name][n] for n in request.names])  # type: ignore[attr-defined]


def needed(folder: Path, needs_operator: bool = True, **others: Any) -> NeededGraph:
    return NeededGraph(folder, **({"robot": Robot.SIM, "arms": "right", "calibration": "sim"} | others),
                       needs_operator=needs_operator)  # fmt: skip


def test_the_sessions_own_graph_is_accepted_by_whatever_path(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    check_attached(Graph("blinded_policy", [f"session={tmp_path}/link"], True), needed(tmp_path / "mine"))
    check_attached(Graph("blinded_policy", [f"session={tmp_path}/mine"], False), needed(tmp_path / "mine", False))


@pytest.mark.parametrize(
    ("policy", "option", "of"),
    [
        ("blinded_policy", "session={}/other", "the session in"),
        ("blinded_policy", "session=mine", "the session in mine"),
        ("vitra", "checkpoint={}/mine", "the policy 'vitra'"),
    ],
)
def test_another_sessions_graph_is_refused(tmp_path: Path, policy: str, option: str, of: str) -> None:
    with pytest.raises(SessionError, match=of):
        check_attached(Graph(policy, [option.format(tmp_path)], True), needed(tmp_path / "mine"))


def test_a_graph_that_does_not_stop_with_its_operator_is_refused_where_somebody_attends(tmp_path: Path) -> None:
    graph = Graph("blinded_policy", [f"session={tmp_path}"], False)
    with pytest.raises(SessionError, match="require_operator:=true"):
        check_attached(graph, needed(tmp_path))


@pytest.mark.parametrize("arms", ["left", "both", ""])
def test_a_graph_with_other_arms_than_the_sessions_is_refused_by_name(tmp_path: Path, arms: str) -> None:
    with pytest.raises(SessionError, match=f"drives arms:={arms}, and the session is of arms:=right") as caught:
        check_attached(Graph("blinded_policy", [f"session={tmp_path}"], True, arms), needed(tmp_path))
    assert f"session:={tmp_path} robot:=sim arms:=right require_operator:=true" in str(caught.value)


@pytest.mark.parametrize(("robot", "wanted", "runs", "taken"), [
    (Robot.SIM, "lab", "sim", True), (Robot.SIM, "lab", "lab", False), (Robot.REAL, "lab", "lab", True),
    (Robot.REAL, "lab", "sim", False), (Robot.REAL, "a/lab.yaml", "/b/a/lab.yaml", True),
    (Robot.REAL, "lab", "/config/lab.yaml", True), (Robot.REAL, "/a/lab.yaml", "/b/lab.yaml", False),
])  # fmt: skip
def test_a_graph_of_the_other_robot_or_another_calibration_is_refused_by_name(
    tmp_path: Path, robot: Robot, wanted: str, runs: str, taken: bool
) -> None:
    graph = Graph("blinded_policy", [f"session={tmp_path}"], True, calibration=runs)
    session = needed(tmp_path, robot=robot, calibration=wanted)
    if taken:
        check_attached(graph, session)
    else:
        with pytest.raises(SessionError, match=f"has calibration:={runs}, and the session, of the {robot} robot"):
            check_attached(graph, session)
