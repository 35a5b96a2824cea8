"""ROS parameters declared from one frozen dataclass per node.

    @dataclass(frozen=True, slots=True)
    class Parameters:
        rate_hz: float = param(200.0, "Setpoints per second", unit="Hz", bounds=(1.0, 1000.0))

`declare(node, Parameters)` declares them with description and bounds and returns the values; `yaml_defaults` and
`markdown_table` write the same source down for people.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from vitra_policy.errors import UnknownNameError, VitraError

T = TypeVar("T")
_OF_EVERY_NODE = {"use_sim_time", "start_type_description_service", "qos_overrides"}


class ParameterError(VitraError):
    """A parameter value that is not allowed."""


def param(
    default: Any,
    description: str,
    *,
    unit: str = "",
    bounds: tuple[float, float] | None = None,
    choices: Sequence[str] | None = None,
) -> Any:
    """A dataclass field that is a ROS parameter; list defaults are given as tuples.

    Args:
        default: Value without any file or argument; its type is the parameter's.
        description: What it does, without the unit.
        unit: Of a number; the name must end in it (`_s`, `_rad`, `_hz`).
        bounds: Smallest and largest value allowed.
        choices: All values allowed.
    """
    return dataclasses.field(
        default=default, metadata={"description": description, "unit": unit, "bounds": bounds, "choices": choices}
    )


def validate(cls: type[T], values: Mapping[str, Any]) -> T:
    """Build the dataclass from plain values.

    Raises:
        ParameterError: a value of the wrong type, not finite, outside its bounds or not among its choices.
        UnknownNameError: a name the dataclass does not have.
    """
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            raise UnknownNameError("parameter", name, fields)
    hints = typing.get_type_hints(cls)
    checked = {name: _check(name, hints[name], fields[name].metadata, value) for name, value in values.items()}
    return cls(**checked)


def declare(node: Any, cls: type[T]) -> T:
    """Declare every field on the node (with description and bounds) and return the values it got.

    Raises:
        ParameterError: as `validate`.
        UnknownNameError: the node was given a parameter that it does not have.
    """
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

    names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for given in node._parameter_overrides:
        if given not in names and given.split(".")[0] not in _OF_EVERY_NODE:
            raise UnknownNameError(f"parameter of node '{node.get_name()}':", given, names)
    values: dict[str, Any] = {}
    for f in dataclasses.fields(cls):  # type: ignore[arg-type]
        meta = f.metadata
        unit = f" [{meta['unit']}]" if meta["unit"] else ""
        allowed = f" One of: {', '.join(meta['choices'])}." if meta["choices"] else ""
        descriptor = ParameterDescriptor(
            name=f.name, description=f"{meta['description']}{unit}.{allowed}", read_only=False, dynamic_typing=True
        )
        if meta["bounds"] and isinstance(f.default, float):
            low, high = meta["bounds"]
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
        elif meta["bounds"] and isinstance(f.default, int) and not isinstance(f.default, bool):
            low, high = meta["bounds"]
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
        default = list(f.default) if isinstance(f.default, tuple) else f.default
        try:
            values[f.name] = node.declare_parameter(f.name, default, descriptor).value
        except Exception as error:  # rclpy raises several unrelated types for a refused value
            raise ParameterError(f"Node '{node.get_name()}': parameter '{f.name}': {error}") from error
    return validate(cls, values)


def yaml_defaults(cls: type) -> str:
    """The defaults as the body of a ROS parameter file, each with its description."""
    import json

    lines = []
    for f in dataclasses.fields(cls):
        unit = f" [{f.metadata['unit']}]" if f.metadata["unit"] else ""
        value = list(f.default) if isinstance(f.default, tuple) else f.default
        lines += [f"    # {f.metadata['description']}{unit}", f"    {f.name}: {json.dumps(value)}"]
    return "/**:\n  ros__parameters:\n" + "\n".join(lines) + "\n"


def markdown_table(cls: type) -> str:
    """The parameters as a Markdown table for the docs."""
    rows = ["| parameter | default | unit | allowed | meaning |", "|---|---|---|---|---|"]
    for f in dataclasses.fields(cls):
        meta = f.metadata
        allowed = ", ".join(meta["choices"]) if meta["choices"] else ""
        if meta["bounds"]:
            allowed = f"{meta['bounds'][0]} .. {meta['bounds'][1]}"
        rows.append(f"| `{f.name}` | `{f.default}` | {meta['unit']} | {allowed} | {meta['description']} |")
    return "\n".join(rows) + "\n"


def _check(name: str, hint: Any, meta: Mapping[str, Any], value: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        hint = next(a for a in typing.get_args(hint) if a is not type(None))
        origin = typing.get_origin(hint)
    if origin is tuple:
        inner = typing.get_args(hint)[0]
        if isinstance(value, str) or not isinstance(value, Sequence) and not hasattr(value, "tolist"):
            raise ParameterError(f"Parameter '{name}' must be a list of {inner.__name__}, got {value!r}.")
        return tuple(_check(f"{name}[{i}]", inner, meta, v) for i, v in enumerate(value))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise ParameterError(f"Parameter '{name}' must be {hint.__name__}, got {value!r} ({type(value).__name__}).")
    if hint is float and not math.isfinite(value):
        raise ParameterError(f"Parameter '{name}' must be a finite number, got {value}.")
    if meta["choices"] and value not in meta["choices"]:
        raise UnknownNameError(f"value for parameter '{name}'", str(value), meta["choices"])
    if meta["bounds"] and not meta["bounds"][0] <= value <= meta["bounds"][1]:
        low, high = meta["bounds"]
        raise ParameterError(f"Parameter '{name}' is {value}, allowed is {low} to {high} {meta['unit']}.".rstrip())
    return value
