"""Read a launch XML file into the processes it asks for; what the native tool refuses is refused here too."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from vitra_bringup.errors import LaunchError
from vitra_launch.substitutions import Context, as_bool, find_executable, substitute, words
from vitra_policy.errors import UnknownNameError

_PROCESS = {
    "output", "respawn", "respawn_delay", "respawn_max_retries", "on_exit", "launch-prefix", "cwd", "emulate_tty",
    "sigterm_timeout", "sigkill_timeout",
}  # fmt: skip
_ATTRIBUTES = {
    "arg": {"name", "default", "description"},
    "let": {"name", "value"},
    "node": {"pkg", "exec", "name", "namespace", "args", "ros_args", "exec_name"} | _PROCESS,
    "executable": {"cmd", "name"} | _PROCESS,
    "include": {"file"},
    "group": {"scoped", "forwarding"},
    "push_ros_namespace": {"namespace"},
    "push-ros-namespace": {"namespace"},
    "set_parameter": {"name", "value"},
    "set_parameters_from_file": {"filename"},
    "set_remap": {"from", "to"},
    "set_env": {"name", "value"},
    "unset_env": {"name"},
    "log": {"message", "level"},
    "shutdown": {"reason"},
}
_CHILDREN = {
    "arg": {"choice": {"value"}},
    "node": {"param": {"name", "value", "type", "from", "allow_substs"}, "remap": {"from", "to"},
             "env": {"name", "value"}},
    "executable": {"env": {"name", "value"}},
    "include": {"arg": {"name", "value"}},
}  # fmt: skip


@dataclass(frozen=True)
class Argument:
    """A declared launch argument."""

    name: str
    default: str | None
    description: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Process:
    """One process to run."""

    label: str
    command: tuple[str, ...]
    environment: dict[str, str]
    respawn: bool = False
    respawn_delay_s: float = 0.0
    respawn_max_retries: int = -1
    shutdown_on_exit: bool = False
    cwd: str | None = None
    sigterm_timeout_s: float = 5.0
    sigkill_timeout_s: float = 5.0


@dataclass
class Launch:
    """What a file asks for after all substitutions."""

    processes: list[Process] = field(default_factory=list)
    arguments: dict[str, Argument] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    shutdown_reason: str | None = None


@dataclass(frozen=True)
class _Scope:
    namespace: str = ""
    parameters: tuple[str, ...] = ()
    remaps: tuple[str, ...] = ()


def load(path: Path, given: dict[str, str], environment: dict[str, str]) -> Launch:
    """Evaluate a launch file with `name:=value` arguments.

    Raises:
        LaunchError, UnknownNameError: anything the native tool would not accept, or an argument that no file declares.
    """
    launch = Launch()
    context = Context(dict(given), path.resolve(), dict(environment))
    _file(path.resolve(), context, _Scope(), launch)
    for name in given:
        if name not in launch.arguments:
            raise UnknownNameError("launch argument", name, launch.arguments, f"See `--show-args` of {path.name}.")
    return launch


def _file(path: Path, context: Context, scope: _Scope, launch: Launch) -> None:
    try:
        root = ET.parse(path).getroot()
    except OSError as error:
        raise LaunchError(f"Cannot read launch file {path}: {error.strerror}.") from error
    except ET.ParseError as error:
        raise LaunchError(f"{path} is not well-formed XML: {error}.") from error
    if root.tag != "launch":
        raise LaunchError(f"{path}: root element is <{root.tag}>, expected <launch>.")
    inner = Context(context.configurations, path, context.environment, context.anonymous)
    for element in root:
        scope = _action(element, inner, scope, launch)


def _action(element: ET.Element, context: Context, scope: _Scope, launch: Launch) -> _Scope:
    _check(element, context)
    get = _Getter(element, context)
    if not _wanted(get):
        return scope
    match element.tag:
        case "arg":
            _argument(element, get, context, launch)
        case "let":
            context.configurations[get.must("name")] = get.must("value")
        case "node":
            launch.processes.append(_node(element, get, context, scope))
        case "executable":
            launch.processes.append(_process(element, get, context, tuple(words(get.must("cmd"))), get("name") or ""))
        case "include":
            # An included file sees the caller's configurations; what it sets does not leak back.
            child = Context(dict(context.configurations), context.file, context.environment, context.anonymous)
            for arg in element.findall("arg"):
                arg_get = _Getter(arg, context)
                child.configurations[arg_get.must("name")] = arg_get.must("value")
            _file(Path(get.must("file")), child, scope, launch)
        case "group":
            scoped = as_bool(get("scoped") or "true", str(context.file))
            inner_context = context
            if scoped:
                inner_context = Context(
                    dict(context.configurations), context.file, dict(context.environment), context.anonymous
                )
            inner = scope
            for child_element in element:
                inner = _action(child_element, inner_context, inner, launch)
            return scope if scoped else inner
        case "push_ros_namespace" | "push-ros-namespace":
            pushed = get.must("namespace")
            joined = pushed if pushed.startswith("/") else f"{scope.namespace}/{pushed}"
            return _Scope(joined.rstrip("/"), scope.parameters, scope.remaps)
        case "set_parameter":
            extra = ("-p", f"{get.must('name')}:={get.must('value')}")
            return _Scope(scope.namespace, scope.parameters + extra, scope.remaps)
        case "set_parameters_from_file":
            extra = ("--params-file", _parameter_file(get.must("filename")))
            return _Scope(scope.namespace, scope.parameters + extra, scope.remaps)
        case "set_remap":
            extra = ("-r", f"{get.must('from')}:={get.must('to')}")
            return _Scope(scope.namespace, scope.parameters, scope.remaps + extra)
        case "set_env":
            context.environment[get.must("name")] = get.must("value")
        case "unset_env":
            context.environment.pop(get.must("name"), None)
        case "log":
            launch.messages.append(get.must("message"))
        case "shutdown":
            launch.shutdown_reason = get("reason") or "shutdown element"
    return scope


def _check(element: ET.Element, context: Context) -> None:
    tag = element.tag
    if tag not in _ATTRIBUTES:
        raise UnknownNameError(f"element in {context.file}:", tag, _ATTRIBUTES)
    for name in set(element.attrib) - _ATTRIBUTES[tag] - {"if", "unless"}:
        raise UnknownNameError(f"attribute of <{tag}> in {context.file}:", name, _ATTRIBUTES[tag])
    if tag == "group":
        return
    allowed = _CHILDREN.get(tag, {})
    for child in element:
        if child.tag not in allowed:
            raise UnknownNameError(f"element inside <{tag}> in {context.file}:", child.tag, allowed)
        for name in set(child.attrib) - allowed[child.tag]:
            raise UnknownNameError(f"attribute of <{child.tag}> in {context.file}:", name, allowed[child.tag])


def _wanted(get: _Getter) -> bool:
    where = f"{get.context.file}, <{get.element.tag}>"
    condition, negated = get("if"), get("unless")
    if condition is not None and negated is not None:
        raise LaunchError(f"{where}: 'if' and 'unless' exclude each other.")
    if condition is not None:
        return as_bool(condition, where)
    return negated is None or not as_bool(negated, where)


class _Getter:
    """Attributes of one element, substituted."""

    def __init__(self, element: ET.Element, context: Context) -> None:
        self.element, self.context = element, context

    def __call__(self, name: str) -> str | None:
        value = self.element.get(name)
        return None if value is None else substitute(value, self.context)

    def must(self, name: str) -> str:
        value = self(name)
        if value is None:
            raise LaunchError(f"{self.context.file}: <{self.element.tag}> needs the attribute '{name}'.")
        return value


def _argument(element: ET.Element, get: _Getter, context: Context, launch: Launch) -> None:
    name = get.must("name")
    choices = tuple(_Getter(c, context).must("value") for c in element.findall("choice"))
    argument = Argument(name, get("default"), get("description") or "", choices)
    launch.arguments.setdefault(name, argument)
    if name not in context.configurations:
        if argument.default is None:
            raise LaunchError(f"{context.file}: launch argument '{name}' is required. Give it as {name}:=VALUE.")
        context.configurations[name] = argument.default
    if choices and context.configurations[name] not in choices:
        raise UnknownNameError(f"value of launch argument '{name}'", context.configurations[name], choices)


def _node(element: ET.Element, get: _Getter, context: Context, scope: _Scope) -> Process:
    path = find_executable(get.must("pkg"), get.must("exec"), context)
    namespace = get("namespace") or ""
    if not namespace.startswith("/"):
        namespace = f"{scope.namespace}/{namespace}".rstrip("/")
    ros: list[str] = []
    if name := get("name"):
        ros += ["-r", f"__node:={name}"]
    if namespace:
        ros += ["-r", f"__ns:={namespace}"]
    ros += [*scope.parameters, *scope.remaps]
    for child in element:
        child_get = _Getter(child, context)
        if child.tag == "param" and child.get("from") is not None:
            ros += ["--params-file", _parameter_file(child_get.must("from"))]
        elif child.tag == "param":
            ros += ["-p", f"{child_get.must('name')}:={_parameter_value(child_get)}"]
        elif child.tag == "remap":
            ros += ["-r", f"{child_get.must('from')}:={child_get.must('to')}"]
    command = [str(path), *words(get("args") or ""), "--ros-args", *words(get("ros_args") or ""), *ros]
    label = get("exec_name") or name or get.must("exec")
    return _process(element, get, context, tuple(command), label)


def _parameter_value(get: _Getter) -> str:
    value = get.must("value")
    if get("type") == "str":
        # As on the native tool: the YAML parser behind -p must see a string.
        return "'" + value.replace("'", "''") + "'"
    return value


def _parameter_file(name: str) -> str:
    try:
        content = yaml.safe_load(Path(name).read_text())
    except OSError as error:
        raise LaunchError(f"Cannot read parameter file {name}: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise LaunchError(f"Parameter file {name} is not valid YAML: {error}") from error
    if not isinstance(content, dict) or not all(
        isinstance(v, dict) and "ros__parameters" in v for v in content.values()
    ):
        raise LaunchError(f"Parameter file {name} must look like '/**: {{ros__parameters: {{name: value}}}}'.")
    return name


def _process(element: ET.Element, get: _Getter, context: Context, command: tuple[str, ...], label: str) -> Process:
    environment = dict(context.environment)
    for child in element.findall("env"):
        child_get = _Getter(child, context)
        environment[child_get.must("name")] = child_get.must("value")
    prefix = tuple(words(get("launch-prefix") or ""))
    on_exit = get("on_exit")
    if on_exit not in (None, "shutdown"):
        raise LaunchError(f"{context.file}: on_exit='{on_exit}' is not allowed. Allowed: shutdown.")
    return Process(
        label=label or Path(command[0]).name,
        command=prefix + command,
        environment=environment,
        respawn=as_bool(get("respawn") or "false", str(context.file)),
        respawn_delay_s=float(get("respawn_delay") or 0.0),
        respawn_max_retries=int(get("respawn_max_retries") or -1),
        shutdown_on_exit=on_exit == "shutdown",
        cwd=get("cwd"),
        sigterm_timeout_s=float(get("sigterm_timeout") or Process.sigterm_timeout_s),
        sigkill_timeout_s=float(get("sigkill_timeout") or Process.sigkill_timeout_s),
    )
