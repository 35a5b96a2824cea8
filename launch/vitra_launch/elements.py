"""Which elements and attributes a launch file may hold; the whole file is checked before anything in it counts.

As natively, an unknown name is an error wherever it stands, also under a condition that is false.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from vitra_bringup.errors import LaunchError
from vitra_launch.substitution_text import parse
from vitra_launch.substitutions import check
from vitra_policy.errors import UnknownNameError

_PROCESS = {
    "name", "output", "respawn", "respawn_delay", "respawn_max_retries", "on_exit", "launch-prefix", "cwd",
    "emulate_tty", "sigterm_timeout", "sigkill_timeout", "shell",
}  # fmt: skip
_NAMED = {"name", "value"}
_REQUIRED = {
    "arg": {"name"}, "let": _NAMED, "node": {"exec"}, "executable": {"cmd"}, "include": {"file"}, "group": set(),
    "push_ros_namespace": {"namespace"}, "push-ros-namespace": {"namespace"}, "set_parameter": _NAMED,
    "set_parameters_from_file": {"filename"}, "set_remap": {"from", "to"}, "set_ros_log_dir": {"new_log_dir"},
    "set_env": _NAMED, "unset_env": {"name"}, "append_env": _NAMED, "reset_env": set(), "reset": set(),
    "timer": {"period"}, "log": {"message"}, "shutdown": set(),
}  # fmt: skip
_OPTIONAL: dict[str, set[str]] = {
    "arg": {"default", "description"},
    "node": {"pkg", "args", "ros_args", "exec_name", "namespace"} | _PROCESS,
    "executable": _PROCESS,
    "group": {"scoped", "forwarding"},
    "append_env": {"prepend", "separator"},
    "timer": {"cancel_on_shutdown"},
    "shutdown": {"reason"},
}
_ELSEWHERE = {"ros_timer", "node_container", "load_composable_node", "set_use_sim_time"}
_ACTIONS_INSIDE = {"group", "timer"}
_KEEP = {"keep": (_NAMED, set[str]())}
_CHILDREN: dict[str, dict[str, tuple[set[str], set[str]]]] = {
    "arg": {"choice": ({"value"}, set())},
    "node": {
        "param": (set(), {"name", "value", "value-sep", "type", "from", "allow_substs"}),
        "remap": ({"from", "to"}, set()),
        "env": (_NAMED, set()),
    },
    "executable": {"env": (_NAMED, set())},
    "include": {"arg": (_NAMED, set())},
    "group": _KEEP,
    "reset": _KEEP,
    "param": {"param": ({"name"}, {"value", "value-sep", "type"})},
}
_PLAIN = {
    "name of arg", "description of arg", "value of choice", "value of param", "value-sep of param", "type of param",
    "cmd of executable", "args of node", "ros_args of node", "on_exit of node", "on_exit of executable",
}  # fmt: skip
"""Attributes whose text is not (only) substitutions; who reads them checks them."""


def read(path: Path) -> ET.Element:
    """The root of a launch file, all of it checked.

    Raises:
        LaunchError, UnknownNameError: it cannot be read, or holds what the native tool does not take.
    """
    try:
        root = ET.parse(path).getroot()
    except OSError as error:
        raise LaunchError(f"Cannot read launch file {path}: {error.strerror}.") from error
    except ET.ParseError as error:
        raise LaunchError(f"{path} is not well-formed XML: {error}.") from error
    if root.tag != "launch":
        raise LaunchError(f"{path}: root element is <{root.tag}>, expected <launch>.")
    for element in root:
        _check_action(element, path)
    return root


def _check_action(element: ET.Element, path: Path) -> None:
    tag = element.tag
    if tag in _ELSEWHERE:
        raise LaunchError(f"{path}: <{tag}> needs the native tool; run it with `ros2 launch`.")
    if tag not in _REQUIRED:
        raise UnknownNameError(f"element in {path}:", tag, _REQUIRED)
    if "if" in element.attrib and "unless" in element.attrib:
        raise LaunchError(f"{path}, <{tag}>: 'if' and 'unless' exclude each other.")
    _check_attributes(element, _REQUIRED[tag], _OPTIONAL.get(tag, set()) | {"if", "unless"}, path)
    if element.get("on_exit") not in (None, "shutdown"):
        raise LaunchError(f"{path}: on_exit='{element.get('on_exit')}' is not allowed. Allowed: shutdown.")
    if tag in _ACTIONS_INSIDE:
        inside = [child for child in element if not (tag == "group" and child.tag == "keep")]
        for child in inside:
            _check_action(child, path)
        _check_children([c for c in element if c not in inside], tag, path)
    else:
        _check_children(list(element), tag, path)


def _check_children(children: list[ET.Element], parent: str, path: Path) -> None:
    allowed = _CHILDREN.get(parent, {})
    for child in children:
        if child.tag not in allowed:
            raise UnknownNameError(f"element inside <{parent}> in {path}:", child.tag, allowed)
        _check_attributes(child, *allowed[child.tag], path)
        if child.tag == "param":
            _check_param(child, path)
        _check_children(list(child), child.tag, path)


def _check_param(param: ET.Element, path: Path) -> None:
    given, nested = set(param.attrib), len(param) > 0
    if "from" in given:
        if given - {"from", "allow_substs"} or nested:
            raise LaunchError(f"{path}: a <param from=...> takes nothing else but allow_substs.")
    elif "name" not in given:
        raise LaunchError(f"{path}: <param> needs the attribute 'name' or 'from'.")
    elif "allow_substs" in given:
        raise LaunchError(f"{path}: allow_substs goes with 'from' only.")
    elif ("value" in given) == nested:
        raise LaunchError(f"{path}: <param name='{param.get('name')}'> needs either a value or nested params.")


def _check_attributes(element: ET.Element, required: set[str], optional: set[str], path: Path) -> None:
    for name in sorted(set(element.attrib) - required - optional):
        raise UnknownNameError(f"attribute of <{element.tag}> in {path}:", name, required | optional)
    for name in sorted(required - set(element.attrib)):
        raise LaunchError(f"{path}: <{element.tag}> needs the attribute '{name}'.")
    for name, text in element.attrib.items():
        if f"{name} of {element.tag}" not in _PLAIN:
            check(parse(text, str(path)), str(path))
