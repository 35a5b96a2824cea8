"""What the `value` of a <param> means, by Jazzy's rules.

A value is read as YAML **before** its substitutions: `[a, $(var b)]` is a list of two texts, each with substitutions of
its own, and quotes inside a substitution are YAML's quotes. What a substitution gives is read as YAML again, unless the
type says what it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import yaml

from vitra_bringup.errors import LaunchError
from vitra_launch.substitution_text import Template, parse
from vitra_policy.errors import UnknownNameError

Value: TypeAlias = "bool | int | float | str | list[bool] | list[int] | list[float] | list[str]"
_SCALARS = (bool, int, float, str)
_TYPES: dict[str, tuple[type, bool]] = {
    "str": (str, False), "bool": (bool, False), "int": (int, False), "float": (float, False),
    "list_of_str": (str, True), "list_of_bool": (bool, True), "list_of_int": (int, True),
    "list_of_float": (float, True),
}  # fmt: skip


def evaluate_value(
    raw: str, type_name: str | None, separator: str | None, evaluate: Callable[[Template], str], where: str
) -> Value:
    """The typed value of a parameter.

    Args:
        raw: As written.
        type_name: The attribute `type`; None or "yaml": YAML decides.
        separator: The attribute `value-sep`, which makes the value a list.
        evaluate: Performs substitutions.
        where: For messages.

    Raises:
        LaunchError: the value does not fit its type, is none, a mapping, or a list of unlike things.
        UnknownNameError: no such type.
    """
    kind = _kind(type_name, where)
    read = _read(raw, separator, kind, where)
    if isinstance(read, list):
        items = [_template(item, where) for item in read]
        plain = {type(item) for item in items if not isinstance(item, tuple)}
        if len(plain) > 1:
            raise LaunchError(f"{where}: the list '{raw}' holds unlike things ({_names(plain)}).")
        if kind is not None and plain and not (plain <= {kind[0]} or (kind[0] is float and plain <= {int})):
            raise LaunchError(f"{where}: the list '{raw}' holds {_names(plain)}, but its type is {type_name}.")
        scalar = (kind[0], False) if kind is not None else None
        done = [_coerce(evaluate(item), scalar, where) if isinstance(item, tuple) else item for item in items]
        return _uniform(done, kind, where)
    value = _template(read, where)
    if isinstance(value, tuple):
        return _coerce(evaluate(value), kind, where)
    if kind is not None and (kind[1] or not isinstance(value, kind[0])):
        raise LaunchError(f"{where}: '{raw}' is not of type {type_name}.")
    return value


def as_yaml(value: Value | tuple[Value, ...]) -> str:
    """A value as one line of YAML, for `-p name:=value`."""
    text = yaml.safe_dump(value, default_flow_style=True, width=math.inf)
    return text.removesuffix("\n").removesuffix("\n...")


def read_bool(text: str, where: str) -> bool:
    """A truth value as a substitution reads it: 1, 0, or any of YAML's words."""
    value = _coerce(text, (bool, False), where)
    assert isinstance(value, bool)
    return value


def load_yaml_scalar_or_list(text: str, where: str) -> Any:
    """A text as a YAML scalar or list; an empty text stays one.

    Raises:
        LaunchError: it is something else, or no YAML.
    """
    if not text:
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise LaunchError(f"{where}: '{text}' is not valid YAML. Give it the type str if it is a text.") from error
    if not isinstance(value, (*_SCALARS, list)):
        raise LaunchError(
            f"{where}: '{text}' is {type(value).__name__} to YAML; allowed are truth values, numbers, texts and lists "
            "of them. Give it the type str if it is a text."
        )
    return value


def _kind(type_name: str | None, where: str) -> tuple[type, bool] | None:
    if type_name in (None, "yaml"):
        return None
    if type_name not in _TYPES:
        raise UnknownNameError(f"parameter type in {where}:", type_name, [*_TYPES, "yaml"])
    return _TYPES[type_name]


def _read(raw: str, separator: str | None, kind: tuple[type, bool] | None, where: str) -> Value:
    """The value before substitutions; what does not fit yet stays a text."""
    if separator is not None:
        if kind is not None and not kind[1]:
            raise LaunchError(f"{where}: value-sep makes a list, but the type is {kind[0].__name__}.")
        scalar = (kind[0], False) if kind is not None else None
        return [_read(item, None, scalar, where) for item in raw.split(separator)]  # type: ignore[return-value]
    if kind is None or kind[1]:
        try:
            value = load_yaml_scalar_or_list(raw, where)
        except LaunchError as error:
            if kind is None and isinstance(error.__cause__, yaml.YAMLError):
                return raw
            raise
        if kind is not None and not isinstance(value, list):
            raise LaunchError(f"{where}: '{raw}' is not a list.")
        if isinstance(value, list) and not all(isinstance(item, _SCALARS) for item in value):
            raise LaunchError(f"{where}: the list '{raw}' may hold truth values, numbers or texts only.")
        if kind is not None and not all(isinstance(item, (str, kind[0])) for item in value):
            raise LaunchError(f"{where}: the list '{raw}' does not hold {kind[0].__name__}s only.")
        return value  # type: ignore[no-any-return]
    if kind[0] is str:
        return raw
    try:
        return _coerce(raw, kind, where)
    except LaunchError:
        if kind[0] is bool and isinstance(yaml.safe_load(raw), (int, float)):
            raise
        return raw


def _template(value: bool | int | float | str, where: str) -> bool | int | float | str | Template:
    if not isinstance(value, str):
        return value
    template = parse(value, where)
    if len(template) == 1 and isinstance(template[0], str):
        return template[0]
    return template


def _coerce(text: str, kind: tuple[type, bool] | None, where: str) -> Value:
    if kind is None:
        value = load_yaml_scalar_or_list(text, where)
        return _uniform(value, None, where) if isinstance(value, list) else value
    scalar, is_list = kind
    if is_list:
        value = load_yaml_scalar_or_list(text, where)
        if not isinstance(value, list):
            raise LaunchError(f"{where}: '{text}' is not a list.")
        return _uniform(value, kind, where)
    if scalar is str:
        return text
    if scalar is bool:
        value = load_yaml_scalar_or_list({"1": "true", "0": "false"}.get(text, text), where)
        if not isinstance(value, bool):
            raise LaunchError(f"{where}: '{text}' is not a truth value. Allowed: true, false, 1, 0.")
        return value
    try:
        return scalar(text)  # type: ignore[no-any-return]
    except ValueError as error:
        raise LaunchError(f"{where}: '{text}' is not of type {scalar.__name__}.") from error


def _uniform(values: list[Any], kind: tuple[type, bool] | None, where: str) -> Value:
    expected = kind[0] if kind is not None else next((type(v) for v in values if not isinstance(v, str)), str)
    if expected is float and kind is None and not all(isinstance(v, float) for v in values):
        raise LaunchError(f"{where}: the list {values} holds unlike things.")
    if expected not in _SCALARS or not all(isinstance(v, expected) for v in values):
        raise LaunchError(f"{where}: the list {values} holds unlike things.")
    return values


def _names(types: set[type]) -> str:
    return ", ".join(sorted(t.__name__ for t in types))
