from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rcl_interfaces.msg import ParameterType, ParameterValue

from vitra_description.calibration import CALIBRATION_VARIABLE
from vitra_evaluation.backends.attach import NeededGraph, check_attached
from vitra_evaluation.errors import SessionError
from vitra_evaluation.plan.plan import Robot
from vitra_evaluation.session.files import file_sha256


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
    (Robot.REAL, "lab.v1", "lab.v2", False), (Robot.REAL, "lab.v1", "lab.v1.yaml", True),
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


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the calibrations of two robots, by path and by name."""
    for name in ("robot1/calibration.yaml", "robot2/calibration.yaml", "named/lab.v1.yaml", "named/lab.v2.yaml"):
        path = tmp_path / "lab" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"of: {name}")
    monkeypatch.setenv(CALIBRATION_VARIABLE, str(tmp_path / "lab/named"))
    return tmp_path / "lab"


@pytest.mark.parametrize(("wanted", "runs", "taken"), [
    ("lab.v1", "lab.v1", True), ("lab.v1", "{}/named/lab.v1.yaml", True), ("lab.v1", "lab.v2", False),
    ("robot1/calibration.yaml", "robot1/calibration.yaml", True),
    ("robot1/calibration.yaml", "{}/robot1/calibration.yaml", True),
    ("robot1/calibration.yaml", "robot2/calibration.yaml", False),
    ("robot1/calibration.yaml", "{}/robot2/calibration.yaml", False),
    ("robot1/calibration.yaml", "robot3/calibration.yaml", False),
])  # fmt: skip
@pytest.mark.parametrize("noted", [True, False])
def test_a_calibration_is_the_sessions_by_what_is_in_its_file(
    lab: Path, wanted: str, runs: str, taken: bool, noted: bool
) -> None:
    graph = Graph("blinded_policy", [f"session={lab}"], True, calibration=runs.format(lab))
    sha256 = file_sha256(lab / (wanted if "/" in wanted else f"named/{wanted}.yaml")) if noted else ""
    session = needed(lab, robot=Robot.REAL, calibration=wanted, calibration_sha256=sha256, made_in=lab)
    if taken:
        check_attached(graph, session)
        return
    with pytest.raises(SessionError, match="has calibration:=") as caught:
        check_attached(graph, session)
    how = f"calibration:={lab / wanted if '/' in wanted else wanted} "
    assert how in f"{caught.value} ", "a graph may be launched from any folder"


def test_a_calibration_that_was_changed_since_the_session_began_is_refused(lab: Path) -> None:
    graph = Graph("blinded_policy", [f"session={lab}"], True, calibration="lab.v1")
    sha256 = file_sha256(lab / "named/lab.v1.yaml")
    (lab / "named/lab.v1.yaml").write_text("of: another day")
    with pytest.raises(SessionError, match="changed since the session was begun"):
        check_attached(graph, needed(lab, robot=Robot.REAL, calibration="lab.v1", calibration_sha256=sha256))


def test_a_graph_that_was_launched_for_a_relative_path_is_told_to_take_an_absolute_one(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="must be an absolute path") as caught:
        check_attached(Graph("blinded_policy", ["session=runs/eval/x"], True), needed(tmp_path))
    assert f"session:={tmp_path}" in str(caught.value)
