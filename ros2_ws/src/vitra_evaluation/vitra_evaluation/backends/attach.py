"""Whether a running graph is this session's: its policy node answers for the folder, and it stops with its operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rcl_interfaces.msg import ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters

from vitra_bringup.graph_client import GraphClient
from vitra_evaluation.errors import SessionError
from vitra_policy.policies.registry import parse_options

_POLICY, _SUPERVISOR = "policy", "safety_supervisor"


def check_attached(client: GraphClient, folder: Path, needs_operator: bool) -> None:
    """Refuse a graph that was not launched for this session.

    Args:
        client: in the graph's domain.
        folder: of the session.
        needs_operator: whether the robot must stop when the console is lost.

    Raises:
        SessionError: what it was launched with, and how to launch it.
        GraphError: a node does not answer.
    """
    how = f"Launch it for this one: ros2 launch vitra_bringup evaluate.launch.xml session:={folder.resolve()}"
    policy, options = _parameters(client, _POLICY, ("policy", "policy_options"))
    given = parse_options(options or [])
    session = Path(given.get("session", ""))
    if policy != "blinded_policy" or not session.is_absolute() or session.resolve() != folder.resolve():
        of = f"the session in {session}" if policy == "blinded_policy" else f"the policy '{policy}'"
        raise SessionError(f"The graph that runs is for {of}, not for {folder.resolve()}. {how}")
    (required,) = _parameters(client, _SUPERVISOR, ("require_operator",))
    if needs_operator and required is not True:
        raise SessionError(
            f"The graph that runs would not stop when the console is lost, and an attended robot must. {how} "
            "require_operator:=true"
        )


def _parameters(client: GraphClient, node: str, names: tuple[str, ...]) -> list[Any]:
    answer = client.call(GetParameters, f"{node}/get_parameters", GetParameters.Request(names=list(names)))
    return [_plain(value) for value in answer.values] or [None] * len(names)


def _plain(value: ParameterValue) -> Any:
    if value.type == ParameterType.PARAMETER_BOOL:
        return bool(value.bool_value)
    if value.type == ParameterType.PARAMETER_STRING:
        return str(value.string_value)
    if value.type == ParameterType.PARAMETER_STRING_ARRAY:
        return [str(text) for text in value.string_array_value]
    return None
