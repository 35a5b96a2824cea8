"""Every parameter and launch argument that has a unit carries it in its name."""

from __future__ import annotations

import ast
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from vitra_policy.errors import UnknownNameError

ROOT = Path(__file__).resolve().parent.parent
SUFFIX = {
    "s": "_s", "ms": "_ms", "Hz": "_hz", "m": "_m", "rad": "_rad", "m/s": "_m_s", "rad/s": "_rad_s", "mA": "_ma",
    "px": "_px", "MB": "_mb", "GB": "_gb",
}  # fmt: skip
"""Unit of a parameter -> end of its name."""
SPELT = re.compile(r"\b(?:seconds?|milliseconds|hertz|per second|radians|degrees|met(?:er|re)s|pixels)\b|\[\w+\]", re.I)
"""Words of a description that stand for a unit."""
COUNTED = {"max_refusals"}
"""Numbers of things within a second that is fixed: `60 a second` is their bound, not their unit."""


@dataclass(frozen=True)
class Parameter:
    """One line of a node's parameter class."""

    name: str
    unit: str
    description: str
    is_number: bool
    file: str


def of_source(text: str, file: str = "") -> Iterator[Parameter]:
    """Parameters that a file declares with `param(...)`."""
    for node in ast.walk(ast.parse(text)):
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Call)):
            continue
        if ast.unparse(node.value.func) != "param":
            continue
        words = {keyword.arg: keyword.value for keyword in node.value.keywords}
        unit = words.get("unit")
        yield Parameter(
            name=ast.unparse(node.target),
            unit=unit.value if isinstance(unit, ast.Constant) else "",  # type: ignore[arg-type]
            description=ast.unparse(node.value.args[1]),
            is_number=bool(re.search(r"\b(?:int|float)\b", ast.unparse(node.annotation))),
            file=file,
        )


PARAMETERS = [
    parameter
    for path in sorted((ROOT / "ros2_ws/src").glob("*/*/**/*.py"))
    if "tests" not in path.parts
    for parameter in of_source(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))
]
WITH_UNIT = [parameter for parameter in PARAMETERS if parameter.unit]


def wrong(parameter: Parameter) -> str:
    """What is wrong with a parameter's name; empty: nothing."""
    if parameter.unit and not parameter.name.endswith(SUFFIX[parameter.unit]):
        return f"{parameter.file}: '{parameter.name}' is in {parameter.unit}: end it in {SUFFIX[parameter.unit]}"
    told = parameter.is_number and SPELT.search(parameter.description) and parameter.name not in COUNTED
    if told and not parameter.unit:
        return f"{parameter.file}: '{parameter.name}' tells its unit in words only: give unit="
    return ""


def launch_files() -> list[Path]:
    return sorted((ROOT / "launch").glob("*.launch.xml"))


def forwarded(path: Path) -> Iterator[tuple[str, str]]:
    """Parameters that a launch file sets from one of its arguments: argument, parameter."""
    for element in ElementTree.parse(path).iter():
        if element.tag not in ("param", "arg"):
            continue
        whole = re.fullmatch(r"\$\(var (\w+)\)", element.get("value", ""))
        if whole:
            yield whole.group(1), element.get("name", "")


def unit_of(name: str) -> str:
    """The longest ending of a name that is a unit's; empty: none."""
    return max((suffix for suffix in SUFFIX.values() if name.endswith(suffix)), key=len, default="")


def test_every_parameter_with_a_unit_carries_it_in_its_name() -> None:
    assert len(WITH_UNIT) > 50
    assert [words for parameter in PARAMETERS if (words := wrong(parameter))] == []


def test_a_launch_argument_carries_the_unit_of_the_parameter_it_sets() -> None:
    pairs = [(path.name, *pair) for path in launch_files() for pair in forwarded(path)]
    assert any(unit_of(parameter) for _, _, parameter in pairs)
    assert [pair for pair in pairs if unit_of(pair[1]) != unit_of(pair[2])] == []


@pytest.mark.parametrize("parameter", WITH_UNIT, ids=lambda p: f"{p.file.split('/')[-2]}-{p.name}")
def test_the_name_without_its_unit_is_refused_with_the_name_that_is(parameter: Parameter) -> None:
    old = parameter.name.removesuffix(SUFFIX[parameter.unit])
    names = [other.name for other in PARAMETERS if other.file == parameter.file]
    assert old not in names
    assert f"Did you mean '{parameter.name}'?" in str(UnknownNameError("parameter", old, names))


def test_a_name_without_its_unit_is_seen() -> None:
    def seen(line: str) -> bool:
        return bool(wrong(next(of_source(line))))

    assert seen('wait: float = param(1.0, "Pause", unit="s")')
    assert not seen('wait_s: float = param(1.0, "Pause", unit="s")')
    assert seen('wait: float = param(1.0, "Seconds to pause")')
    assert not seen('speed: float = param(1.0, "Share of the planning speed")')
