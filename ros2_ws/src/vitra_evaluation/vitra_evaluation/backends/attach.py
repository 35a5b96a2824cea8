"""Whether a running graph is this session's: its policy, robot and arms, and it stops with its operator."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rcl_interfaces.msg import ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters

from vitra_bringup.graph_client import GraphClient
from vitra_description.calibration import calibration_path
from vitra_evaluation.errors import SessionError
from vitra_evaluation.plan.plan import Robot
from vitra_evaluation.session.provenance import path_sha256, seen_from
from vitra_policy.errors import UnknownNameError
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
        calibration_sha256: Hash of the calibration when the session was begun; empty: nobody noted it.
        made_in: Folder from which a relative path counts; None: nobody noted it.
    """

    folder: Path
    robot: Robot
    arms: str
    calibration: str
    needs_operator: bool
    calibration_sha256: str = ""
    made_in: Path | None = None


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
        if policy == "blinded_policy" and not session.is_absolute():
            raise SessionError(
                f"The graph that runs is for {of}, and nothing says from which folder that counts: session:= must be "
                f"an absolute path. {how}"
            )
        raise SessionError(f"The graph that runs is for {of}, not for {folder}. {how}")
    arms, calibration = _parameters(client, _EXECUTOR, ("arms", "calibration"))
    if arms != needed.arms:
        raise SessionError(f"The graph that runs drives arms:={arms}, and the session is of arms:={needed.arms}. {how}")
    if not _same_calibration(str(calibration), needed):
        raise SessionError(
            f"The graph that runs has calibration:={calibration}, and the session, of the {needed.robot} robot, has "
            f"calibration:={_calibration(needed)}: other files, or it was changed since the session was begun. {how}"
        )
    (required,) = _parameters(client, _SUPERVISOR, ("require_operator",))
    if needed.needs_operator and required is not True:
        raise SessionError(
            f"The graph that runs would not stop when the console is lost, and an attended robot must. {how}"
        )


def _launch(needed: NeededGraph) -> str:
    words = [f"session:={needed.folder.resolve()}", f"robot:={needed.robot}", f"arms:={needed.arms}"]
    if needed.robot is Robot.REAL:
        file = _file(needed.calibration, needed.made_in) if needed.calibration.endswith((".yaml", ".yml")) else None
        words += [f"calibration:={needed.calibration if file is None else file.resolve()}"]
    words += ["require_operator:=true"] if needed.needs_operator else []
    return f"ros2 launch vitra_bringup evaluate.launch.xml {' '.join(words)}"


def _calibration(needed: NeededGraph) -> str:
    return needed.calibration if needed.robot is Robot.REAL else "sim"  # which deploy.launch.xml sets by itself


def _same_calibration(given: str, needed: NeededGraph) -> bool:
    """By what is in the files; names and paths decide only where this machine has neither file."""
    wanted = _calibration(needed)
    noted = needed.calibration_sha256 if wanted == needed.calibration else ""
    given_file, wanted_file = _file(given, needed.made_in), _file(wanted, needed.made_in)
    if given_file is not None and (noted or wanted_file is not None):
        return path_sha256(given_file) == (noted or path_sha256(wanted_file or given_file))
    if given_file is not None or wanted_file is not None:
        return False
    paths = Path(given), Path(wanted)
    if all(path.is_absolute() for path in paths):
        return paths[0].resolve() == paths[1].resolve()
    return _name(given) == _name(wanted)


def _file(calibration: str, made_in: Path | None) -> Path | None:
    """The file behind a name or a path; None: it is not on this machine."""
    with contextlib.suppress(UnknownNameError):
        file = seen_from(made_in, calibration_path(calibration))
        return file if file.is_file() else None
    return None


def _name(calibration: str) -> str:
    """Without folder and ending; what stands behind another point is part of the name (lab.v1)."""
    return Path(calibration).name.removesuffix(".yaml").removesuffix(".yml")


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
