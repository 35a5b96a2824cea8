"""Arguments that a launch file and the files it includes declare, found without evaluating them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vitra_launch.elements import read
from vitra_launch.substitution_text import unescape
from vitra_launch.substitutions import Context, substitute
from vitra_policy.errors import VitraError


@dataclass(frozen=True)
class Argument:
    """A declared launch argument.

    Attributes:
        default: As written; None makes it required.
        conditional: Whether it only exists under a condition.
        passed: Arguments that the includes on the way to it give.
    """

    name: str
    default: str | None
    description: str
    choices: tuple[str, ...]
    conditional: bool = False
    passed: tuple[str, ...] = ()


def declared(path: Path, context: Context) -> dict[str, Argument]:
    """Arguments of a file and of all files it includes, in their order; the first declaration of a name counts.

    A file whose name depends on an argument is left out.

    Raises:
        LaunchError, UnknownNameError: a file that can be found is wrong.
    """
    found: dict[str, Argument] = {}
    for argument in _walk(read(path), Context({}, path, context.environment), False, ()):
        found.setdefault(argument.name, argument)
    return found


def missing(path: Path, context: Context, given: list[str]) -> str | None:
    """The first argument that must be given when the file is included, and is not.

    Args:
        path: The launch file that is included.
        context: Where it is included: folders and the environment.
        given: Names of the arguments that the include passes.
    """
    for argument in declared(path, context).values():
        needed = argument.default is None and not argument.conditional
        if needed and argument.name not in given and argument.name not in argument.passed:
            return argument.name
    return None


def _walk(elements: ET.Element, context: Context, conditional: bool, passed: tuple[str, ...]) -> Iterator[Argument]:
    for element in elements:
        under = "if" in element.attrib or "unless" in element.attrib
        if element.tag == "arg":
            yield Argument(
                name=unescape(element.attrib["name"]),
                default=element.get("default"),
                description=unescape(element.get("description", "")),
                choices=tuple(unescape(choice.attrib["value"]) for choice in element.findall("choice")),
                conditional=conditional or under,
                passed=passed,
            )
        elif element.tag == "reset":
            return
        elif element.tag in ("group", "timer"):
            if element.get("forwarding") == "false" and element.get("scoped") != "false":
                continue
            yield from _walk(element, context, under or element.tag == "timer", passed)
        elif element.tag == "include":
            path = _file(element, context)
            if path is not None:
                passed = passed + tuple(arg.attrib["name"] for arg in element.findall("arg"))
                yield from _walk(read(path), Context({}, path, context.environment), under, passed)


def _file(include: ET.Element, context: Context) -> Path | None:
    try:
        path = Path(substitute(include.attrib["file"], context)).resolve()
    except VitraError:
        return None
    return path if path.is_file() else None
