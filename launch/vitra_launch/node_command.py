"""The command line of a <node>."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import yaml

from vitra_bringup.errors import LaunchError
from vitra_launch.parameter_values import evaluate_value
from vitra_launch.process import ANY_NODE, Parameter, Word
from vitra_launch.substitutions import (
    GLOBAL_PARAMETERS,
    Context,
    check,
    command_words,
    evaluate,
    find_executable,
    substitute,
)

NAMESPACE = "ros_namespace"
REMAPS = "ros_remaps"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def node_command(element: ET.Element, context: Context) -> tuple[list[Word], str | None]:
    """Program, arguments and ROS options of a node, and its label if the file gives one.

    Raises:
        LaunchError, UnknownNameError: no such package or executable, or a value that does not fit.
    """

    def get(name: str) -> str | None:
        value = element.get(name)
        return None if value is None else substitute(value, context)

    where = f"{context.file}, <node exec='{element.get('exec')}'>"
    package, executable = get("pkg"), substitute(element.attrib["exec"], context)
    program = executable if package is None else str(find_executable(package, executable, context))
    words: list[Word] = (
        [program, *command_words(element.get("args") or "", context)] if element.get("args") else [program]
    )
    if element.get("ros_args"):
        words += ["--ros-args", *command_words(element.attrib["ros_args"], context)]
    words.append("--ros-args")
    name = get("name")
    if name is not None:
        if not _NAME.fullmatch(name):
            raise LaunchError(f"{where}: '{name}' is not a node name; letters, digits and _ are allowed.")
        words += ["-r", f"__node:={name}"]
    namespace = joined_namespace(context.configurations.get(NAMESPACE), get("namespace"), where)
    if namespace is not None:
        words += ["-r", f"__ns:={namespace}"]
    node = f"{namespace.rstrip('/')}/{name}" if name is not None and namespace is not None else ANY_NODE
    for entry in context.configurations.get(GLOBAL_PARAMETERS, []):
        words += ["-p", f"{entry[0]}:={entry[1]}"] if isinstance(entry, tuple) else ["--params-file", entry]
    for child in element.findall("param"):
        if "from" in child.attrib:
            words += ["--params-file", parameter_file(substitute(child.attrib["from"], context))]
        else:
            words += _parameters(child, "", node, context, where)
    rules = list(context.configurations.get(REMAPS, []))
    rules += [
        tuple(substitute(child.attrib[key], context) for key in ("from", "to")) for child in element.findall("remap")
    ]
    for source, target in rules:
        words += ["-r", f"{source}:={target}"]
    return words, get("exec_name")


def joined_namespace(outer: str | None, inner: str | None, where: str) -> str | None:
    """A namespace inside another one; absolute, or None if there is neither.

    Args:
        outer: Namespace of the group around, or None.
        inner: The node's own, relative or absolute, or None.
        where: File and element, for the error.

    Raises:
        LaunchError: it is not a valid namespace.
    """
    if inner is None:
        joined = outer
    elif not outer or inner.startswith("/"):
        joined = inner
    else:
        joined = f"{outer.rstrip('/')}/{inner}"
    if joined is None:
        return None
    if joined != "/":
        joined = joined.rstrip("/")
    if not joined.startswith("/"):
        joined = f"/{joined}"
    if joined != "/" and not all(_NAME.fullmatch(part) for part in joined[1:].split("/")):
        raise LaunchError(f"{where}: '{joined}' is not a namespace; letters, digits, _ and / are allowed.")
    return joined


def parameter_file(name: str) -> str:
    """The name of a parameter file that can be read.

    Raises:
        LaunchError: it cannot, or does not hold parameters of nodes.
    """
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


def _parameters(element: ET.Element, prefix: str, node: str, context: Context, where: str) -> list[Parameter]:
    name = f"{prefix}{substitute(element.attrib['name'], context)}"
    if "value" not in element.attrib:
        nested = [p for child in element for p in _parameters(child, f"{name}.", node, context, where)]
        return sorted(nested, key=lambda parameter: parameter.name)
    place = f"{where}, <param name='{name}'>"
    value = evaluate_value(
        element.attrib["value"], element.get("type"), element.get("value-sep"),
        lambda template: evaluate(check(template, place), context), place,
    )  # fmt: skip
    return [Parameter(node, name, value)]
