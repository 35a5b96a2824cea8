from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from rcl_interfaces.msg import ParameterType, ParameterValue

from vitra_evaluation.backends.attach import check_attached
from vitra_evaluation.errors import SessionError


class Graph:
    """Answers questions about the parameters of its nodes."""

    def __init__(self, policy: str, options: list[str], require_operator: bool) -> None:
        self._parameters = {
            "policy/get_parameters": {
                "policy": ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=policy),
                "policy_options": ParameterValue(type=ParameterType.PARAMETER_STRING_ARRAY, string_array_value=options),
            },
            "safety_supervisor/get_parameters": {
                "require_operator": ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=require_operator)
            },
        }

    def call(self, _: object, name: str, request: object) -> SimpleNamespace:
        return SimpleNamespace(values=[self._parameters[name][n] for n in request.names])  # type: ignore[attr-defined]


def test_the_sessions_own_graph_is_accepted_by_whatever_path(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    check_attached(Graph("blinded_policy", [f"session={tmp_path}/link"], True), tmp_path / "mine", True)
    check_attached(Graph("blinded_policy", [f"session={tmp_path}/mine"], False), tmp_path / "mine", False)


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
        check_attached(Graph(policy, [option.format(tmp_path)], True), tmp_path / "mine", True)


def test_a_graph_that_does_not_stop_with_its_operator_is_refused_where_somebody_attends(tmp_path: Path) -> None:
    graph = Graph("blinded_policy", [f"session={tmp_path}"], False)
    with pytest.raises(SessionError, match="require_operator:=true"):
        check_attached(graph, tmp_path, True)
