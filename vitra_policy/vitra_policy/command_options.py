"""Values that the options of a command may have; a command refuses others before it begins."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from vitra_policy.errors import VitraError


class OptionValueError(VitraError):
    """An option with a value that it cannot have."""

    def __init__(self, option: str, value: object, allowed: str) -> None:
        super().__init__(f"--{option.replace('_', '-')} is {value}; it must be {allowed}. Run it with --help for all.")


def check_numbers(options: Any) -> None:
    """Every number of a command, whatever is nested in it, is one; infinity only where it is the default.

    Raises:
        OptionValueError: one that is not; it is named.
    """
    for one in fields(options):
        value = getattr(options, one.name)
        for number in value if isinstance(value, tuple) else (value,):
            if is_dataclass(number):
                check_numbers(number)
            elif isinstance(number, float) and not (math.isfinite(number) or _is_default(one, number)):
                raise OptionValueError(one.name, number, "a finite number")


def check_whole_numbers(options: object, least: Mapping[str, int], most: Mapping[str, int] | None = None) -> None:
    """Numbers of options within their bounds; None is none.

    Args:
        options: Holds them.
        least: Name -> smallest allowed.
        most: Name -> largest allowed.

    Raises:
        OptionValueError: one that is not; it is named.
    """
    for name, smallest in least.items():
        value, largest = getattr(options, name), (most or {}).get(name)
        if value is not None and (value < smallest or (largest is not None and value > largest)):
            allowed = f"at least {smallest}" if largest is None else f"from {smallest} to {largest}"
            raise OptionValueError(name, value, allowed)


def check_positive(options: object, *names: str) -> None:
    """Options that must be above zero; None is none.

    Args:
        options: Holds them.
        names: Theirs.

    Raises:
        OptionValueError: one that is not; it is named.
    """
    for name in names:
        value = getattr(options, name)
        if value is not None and not value > 0:
            raise OptionValueError(name, value, "greater than 0")


def _is_default(one: Field[Any], value: float) -> bool:
    return one.default is not MISSING and bool(one.default == value)
