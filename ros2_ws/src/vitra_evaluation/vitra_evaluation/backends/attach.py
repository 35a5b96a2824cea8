"""Whether a running graph is this session's: its policy, robot and arms, and it stops with its operator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rcl_interfaces.msg import ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters

from vitra_bringup.graph_client import GraphClient
from vitra_evaluation.errors import SessionError
from vitra_evaluation.plan.plan import Robot
from vitra_policy.policies.registry import parse_options

_POLICY, _EXECUTOR, _SUPERVISOR = "policy", "executor", "safety_supervisor"


@dataclass(frozen=True, slots=True)
class NeededGraph:
    """What a session must find running.

    Attributes:
        folder: Of the session.
        robot: Real or simulated.
        arms: left, right or both.
        calibration: Of a real robot: a name, or the path of a file.
        needs_operator: Whether the robot must stop when the console is lost.
    """

    folder: Path
    robot: Robot
    arms: str
    calibration: str
    needs_operator: bool


def check_attached(client: GraphClient, needed: NeededGraph) -> None:
    """Refuse a graph that was not launched for this session.

    Args:
        client: in the graph's domain.
        needed: what must run.

    Raises:
        SessionError: what it was launched with, and how to launch it.
        GraphError: a node does not answer.
    """
    folder = needed.folder.resolve()
    how = f"Launch it for this one: {_launch(needed)}"
    policy, options = _parameters(client, _POLICY, ("policy", "policy_options"))
    given = parse_options(options or [])
    session = Path(given.get("session", ""))
    if policy != "blinded_policy" or not session.is_absolute() or session.resolve() != folder:
        of = f"the session in {session}" if policy == "blinded_policy" else f"the policy '{policy}'"
        raise SessionError(f"The graph that runs is for {of}, not for {folder}. {how}")
    arms, calibration = _parameters(client, _EXECUTOR, ("arms", "calibration"))
    if arms != needed.arms:
        raise SessionError(f"The graph that runs drives arms:={arms}, and the session is of arms:={needed.arms}. {how}")
    if not _same_calibration(calibration, _calibration(needed)):
        raise SessionError(
            f"The graph that runs has calibration:={calibration}, and the session, of the {needed.robot} robot, has "
            f"calibration:={_calibration(needed)}. {how}"
        )
    (required,) = _parameters(client, _SUPERVISOR, ("require_operator",))
    if needed.needs_operator and required is not True:
        raise SessionError(
            f"The graph that runs would not stop when the console is lost, and an attended robot must. {how}"
        )


def _launch(needed: NeededGraph) -> str:
    words = [f"session:={needed.folder.resolve()}", f"robot:={needed.robot}", f"arms:={needed.arms}"]
    words += [f"calibration:={needed.calibration}"] if needed.robot is Robot.REAL else []
    words += ["require_operator:=true"] if needed.needs_operator else []
    return f"ros2 launch vitra_bringup evaluate.launch.xml {' '.join(words)}"


def _calibration(needed: NeededGraph) -> str:
    return needed.calibration if needed.robot is Robot.REAL else "sim"  # which deploy.launch.xml sets by itself


def _same_calibration(given: Any, wanted: str) -> bool:
    """By file; a name or a relative path, which counts from where somebody launched, only by its last part."""
    paths = Path(str(given)), Path(wanted)
    if all(path.is_absolute() for path in paths):
        return paths[0].resolve() == paths[1].resolve()
    return paths[0].stem == paths[1].stem


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
