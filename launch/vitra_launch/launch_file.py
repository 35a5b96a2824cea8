"""Evaluate a launch XML file to the processes it asks for, as the native tool of Jazzy does.

Deliberately stricter than that tool: an argument on the command line that no file declares, and a parameter file that
is missing or malformed, are errors; code in a launch file (`eval`, `command`) is not run.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vitra_bringup.errors import LaunchError
from vitra_launch.arguments import Argument, declared, missing
from vitra_launch.elements import read
from vitra_launch.node_command import NAMESPACE, REMAPS, joined_namespace, node_command, parameter_file
from vitra_launch.parameter_values import load_yaml_scalar_or_list, read_bool
from vitra_launch.process import Process, Word
from vitra_launch.substitution_text import unescape
from vitra_launch.substitutions import GLOBAL_PARAMETERS, Context, as_bool, command_words, substitute
from vitra_policy.errors import UnknownNameError

NATIVE_SETTINGS = ("launch-prefix", "sigterm_timeout", "sigkill_timeout")
"""Arguments that every launch takes."""


@dataclass
class Launch:
    """What a file asks for after all substitutions."""

    processes: list[Process] = field(default_factory=list)
    arguments: dict[str, Argument] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    shutdown_reason: str | None = None


def load(path: Path, given: dict[str, str], environment: dict[str, str]) -> Launch:
    """Evaluate a launch file with `name:=value` arguments.

    Args:
        path: The launch file.
        given: Arguments by name, as text.
        environment: Environment variables that `$(env ...)` sees.

    Raises:
        LaunchError, UnknownNameError: anything the native tool would not accept, or an argument that no file declares.
    """
    path = path.resolve()
    context = Context({}, path, dict(environment))
    evaluation = _Evaluation(Launch(arguments=declared(path, context)), context, dict(environment))
    evaluation.include(path, list(given.items()))
    evaluation.finish()
    for name in given:
        if name not in evaluation.seen and name not in NATIVE_SETTINGS:
            raise UnknownNameError("launch argument", name, evaluation.seen, f"See `--show-args` of {path.name}.")
    return evaluation.launch


class _Evaluation:
    """Visits elements in order; what they set stays set, except inside a scoped group.

    Attributes:
        seen: Arguments that were declared on the way.
    """

    def __init__(self, launch: Launch, context: Context, environment: dict[str, str]) -> None:
        self.launch, self._context, self._first_environment = launch, context, environment
        self.seen: set[str] = set(launch.arguments)
        self._timers: list[tuple[float, ET.Element, Path]] = []
        self._now_s = 0.0

    def include(self, path: Path, arguments: list[tuple[str, str]]) -> None:
        """Visit a file; its arguments are set where it is included and stay set behind it."""
        lacking = missing(path, self._context, [name for name, _ in arguments])
        if lacking:
            raise LaunchError(f"{path}: launch argument '{lacking}' is required. Give it as {lacking}:=VALUE.")
        root = read(path)
        self._context.file = path
        self._context.configurations.update(arguments)
        for element in root:
            self._visit(element)

    def finish(self) -> None:
        """What timers start, in the order of time and with what holds at the end of the launch."""
        while self._timers:
            self._timers.sort(key=lambda timer: timer[0])
            self._now_s, element, self._context.file = self._timers.pop(0)
            for child in element:
                self._visit(child)

    def _get(self, element: ET.Element, name: str) -> str | None:
        value = element.get(name)
        return None if value is None else substitute(value, self._context)

    def _must(self, element: ET.Element, name: str) -> str:
        return substitute(element.attrib[name], self._context)

    def _visit(self, element: ET.Element) -> None:
        if self.launch.shutdown_reason is not None or not self._wanted(element):
            return
        configurations, environment = self._context.configurations, self._context.environment
        match element.tag:
            case "arg":
                self._declare(element)
            case "let":
                configurations[self._must(element, "name")] = self._must(element, "value")
            case "node":
                command, label = node_command(element, self._context)
                self._process(element, command, label)
            case "executable":
                words = command_words(element.attrib["cmd"], self._context)
                self._process(element, words, self._get(element, "name"))
            case "include":
                self._include(element)
            case "group":
                self._group(element)
            case "push_ros_namespace" | "push-ros-namespace":
                pushed = self._must(element, "namespace")
                configurations[NAMESPACE] = joined_namespace(
                    configurations.get(NAMESPACE), pushed, self._where(element)
                )
            case "set_parameter":
                name, text = self._must(element, "name"), self._must(element, "value")
                value = load_yaml_scalar_or_list(text, self._where(element))
                entry = (name, tuple(value) if isinstance(value, list) else value)
                configurations.setdefault(GLOBAL_PARAMETERS, []).append(entry)
            case "set_parameters_from_file":
                configurations.setdefault(GLOBAL_PARAMETERS, []).append(parameter_file(self._must(element, "filename")))
            case "set_remap":
                rule = (self._must(element, "from"), self._must(element, "to"))
                configurations.setdefault(REMAPS, []).append(rule)
            case "timer":
                delay_s = float(self._number(element, "period", 0.0))
                self._timers.append((self._now_s + delay_s, element, self._context.file))
            case "log":
                self.launch.messages.append(self._must(element, "message"))
            case "shutdown":
                self.launch.shutdown_reason = self._get(element, "reason") or "shutdown element"
            case "reset":
                kept = self._kept(element)
                configurations.clear()
                configurations.update(kept)
            case _:
                self._change_environment(element, environment)

    def _change_environment(self, element: ET.Element, environment: dict[str, str]) -> None:
        match element.tag:
            case "set_env":
                environment[self._must(element, "name")] = self._must(element, "value")
            case "unset_env":
                environment.pop(self._must(element, "name"), None)
            case "append_env":
                name, value = self._must(element, "name"), self._must(element, "value")
                between = self._get(element, "separator") or ":"
                if name in environment:
                    first = read_bool(self._get(element, "prepend") or "false", self._where(element))
                    pair = (value, environment[name]) if first else (environment[name], value)
                    value = between.join(pair)
                environment[name] = value
            case "reset_env":
                environment.clear()
                environment.update(self._first_environment)
            case "set_ros_log_dir":
                before = Path(environment.get("ROS_LOG_DIR", Path.home() / ".ros/log"))
                environment["ROS_LOG_DIR"] = str(before / self._must(element, "new_log_dir"))

    def _wanted(self, element: ET.Element) -> bool:
        condition, negated = self._get(element, "if"), self._get(element, "unless")
        if condition is not None:
            return as_bool(condition, self._where(element))
        return negated is None or not as_bool(negated, self._where(element))

    def _declare(self, element: ET.Element) -> None:
        name, default = unescape(element.attrib["name"]), self._get(element, "default")
        self.seen.add(name)
        configurations = self._context.configurations
        if name not in configurations:
            if default is None:
                raise LaunchError(
                    f"{self._context.file}: launch argument '{name}' is required. Give it as {name}:=VALUE."
                )
            configurations[name] = default
        choices = [unescape(choice.attrib["value"]) for choice in element.findall("choice")]
        if choices and configurations[name] not in choices:
            raise UnknownNameError(f"value of launch argument '{name}'", configurations[name], choices)

    def _include(self, element: ET.Element) -> None:
        path = Path(self._must(element, "file")).resolve()
        names = [self._must(argument, "name") for argument in element.findall("arg")]
        lacking = missing(path, self._context, names)
        if lacking:
            raise LaunchError(
                f"{self._context.file}: {path.name} requires the argument '{lacking}': add <arg name='{lacking}' .../>."
            )
        self._context.file = path
        for argument in element.findall("arg"):
            # Each may use those before it, and stays set behind the include.
            self._context.configurations[self._must(argument, "name")] = self._must(argument, "value")
        self.include(path, [(name, self._context.configurations[name]) for name in names])

    def _group(self, element: ET.Element) -> None:
        context = self._context
        scoped, forwarding = (self._flag(element, name) for name in ("scoped", "forwarding"))
        before = context.configurations, context.environment
        if scoped:
            context.configurations, context.environment = dict(before[0]), dict(before[1])
        kept = self._kept(element)
        if scoped and not forwarding:
            context.configurations, context.environment = {}, dict(self._first_environment)
        context.configurations.update(kept)
        for child in element:
            if child.tag != "keep":
                self._visit(child)
        if scoped:
            context.configurations, context.environment = before

    def _kept(self, element: ET.Element) -> dict[str, str]:
        return {self._must(keep, "name"): self._must(keep, "value") for keep in element.findall("keep")}

    def _flag(self, element: ET.Element, name: str) -> bool:
        """Read before substitutions, as natively: any other text counts as true."""
        raw = element.get(name)
        value = load_yaml_scalar_or_list({"1": "true", "0": "false"}.get(raw, raw), name) if raw is not None else True
        if not isinstance(value, (bool, str)):
            raise LaunchError(f"{self._where(element)}: {name}='{raw}' is not a truth value.")
        return bool(value)

    def _number(self, element: ET.Element, name: str, default: float) -> float:
        raw = element.get(name)
        if raw is None:
            return default
        try:
            value = float(substitute(raw, self._context) if name == "period" else raw)
        except ValueError:
            raise LaunchError(f"{self._where(element)}: {name}='{raw}' is not a number.") from None
        if value < 0.0 and name != "respawn_max_retries":
            raise LaunchError(f"{self._where(element)}: {name}='{raw}' is negative.")
        return value

    def _process(self, element: ET.Element, command: Sequence[Word], label: str | None) -> None:
        context, where = self._context, self._where(element)
        environment = dict(context.environment)
        for child in element.findall("env"):
            environment[self._must(child, "name")] = self._must(child, "value")
        prefix_text = self._get(element, "launch-prefix") or context.configurations.get("launch-prefix", "")
        prefix = command_words(prefix_text, context) if prefix_text else []
        words = [*prefix, *command]
        timeouts = context.configurations
        self.launch.processes.append(
            Process(
                label=label or Path(str(words[0])).name,
                command=tuple(words),
                environment=environment,
                respawn=read_bool(self._get(element, "respawn") or "false", where),
                respawn_delay_s=self._number(element, "respawn_delay", 0.0),
                respawn_max_retries=int(self._number(element, "respawn_max_retries", -1)),
                shutdown_on_exit="on_exit" in element.attrib,
                cwd=self._get(element, "cwd"),
                sigterm_timeout_s=self._number(element, "sigterm_timeout", float(timeouts.get("sigterm_timeout", 5))),
                sigkill_timeout_s=self._number(element, "sigkill_timeout", float(timeouts.get("sigkill_timeout", 5))),
                start_after_s=self._now_s,
            )
        )

    def _where(self, element: ET.Element) -> str:
        return f"{self._context.file}, <{element.tag}>"
