"""A YAML file whose every value knows its line, so that a refusal can name it."""

from __future__ import annotations

import difflib
import math
import reprlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from vitra_policy.errors import VitraError

T = TypeVar("T")

_LARGEST_BYTES = 2**18
_MOST_VALUES = 10_000
"""An alias stands for all that it names, so a small file can hold more than a memory."""


class MappingError(VitraError):
    """A mapping file that cannot be used."""


@dataclass(frozen=True, slots=True)
class Section:
    """A map in the file; keys are taken one by one and what is left over is a mistake."""

    data: dict[str, Any]
    path: tuple[str | int, ...]
    lines: Mapping[tuple[str | int, ...], int]
    file: str

    def where(self, key: str | int | None = None) -> str:
        """``file:line`` of a key, or of the section where it has no such key."""
        full = self.path if key is None else (*self.path, key)
        while full not in self.lines:
            full = full[:-1]
        return f"{self.file}:{self.lines[full]}"

    def take(self, key: str, convert: Callable[[Any], T], default: T | None = None) -> T:
        """A value, converted and removed.

        Args:
            key: Its name in the section.
            convert: Makes the value of what the file says.
            default: When it is missing; None: it must be there.

        Raises:
            MappingError: it is missing and has no default, or cannot be converted.
        """
        if key not in self.data:
            if default is None:
                raise MappingError(f"{self.where()}: '{key}' is missing.{self._meant(key)}")
            return default
        value = self.data.pop(key)
        try:
            return convert(value)
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            shown = reprlib.repr(value)
            raise MappingError(f"{self.where(key)}: {key}: {shown} cannot be used: {error}.") from None

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """One of some words.

        Args:
            key: Its name in the section.
            allowed: The words.
            default: When it is missing; None: it must be there.

        Raises:
            MappingError: another one, or it is missing and has no default.
        """
        word = self.take(key, str, default)
        if word not in allowed:
            close = difflib.get_close_matches(word, allowed, n=1)
            guess = f" Did you mean '{close[0]}'?" if close else ""
            raise MappingError(f"{self.where(key)}: {key}: '{word}' is none of {', '.join(allowed)}.{guess}")
        return word

    def section(self, key: str) -> Section:
        """A map under a key.

        Raises:
            MappingError: there is none.
        """
        if not isinstance(self.data.get(key), dict):
            raise MappingError(f"{self.where(key)}: '{key}' must be a map of keys and values.{self._meant(key)}")
        return Section(self.data.pop(key), (*self.path, key), self.lines, self.file)

    def sections(self, key: str) -> Iterator[Section]:
        """The maps of a list under a key.

        Raises:
            MappingError: it is no list of maps.
        """
        entries = self.data.pop(key, None)
        if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
            raise MappingError(f"{self.where(key)}: '{key}' must be a list of maps, each '- what: ...'.")
        for number, entry in enumerate(entries):
            yield Section(entry, (*self.path, key, number), self.lines, self.file)

    def _meant(self, key: str) -> str:
        """Where a missing key may stand, written otherwise."""
        close = [] if key in self.data else difflib.get_close_matches(key, self.data, n=1)
        return f" Is it '{close[0]}' in line {self.lines[*self.path, close[0]]}?" if close else ""

    def done(self) -> None:
        """Everything was taken.

        Raises:
            MappingError: names a key that means nothing.
        """
        for key in self.data:
            raise MappingError(f"{self.where(key)}: '{key}' means nothing here.")


def read_document(path: Path) -> Section:
    """The file's top map.

    Raises:
        MappingError: it cannot be read, is no YAML, or no map.
    """
    try:
        if path.exists() and not path.is_file():
            raise MappingError(f"{path} is no file; a mapping is a YAML file.")
        with path.open("rb") as file:
            raw = file.read(_LARGEST_BYTES + 1)
        if len(raw) > _LARGEST_BYTES:
            raise MappingError(f"{path} is too large; a mapping has at most {_LARGEST_BYTES} bytes.")
        node = yaml.compose(raw.decode(), Loader=yaml.SafeLoader)
        lines: dict[tuple[str | int, ...], int] = {}
        data = None if node is None else _value(node, (), lines, path)
    except (OSError, ValueError) as error:  # ValueError: bytes that are no text, a path that can be none
        raise MappingError(f"Cannot read the mapping {str(path)!r}: {error}.") from error
    except yaml.YAMLError as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        where = str(path) if mark is None else f"{path.name}:{mark.line + 1}"
        why = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise MappingError(f"{where}: this is no YAML: {why}.") from error
    except RecursionError:
        raise MappingError(f"{path} holds itself, or is nested too deeply.") from None
    if not isinstance(data, dict):
        raise MappingError(f"{path} must be a map with 'request' and 'answer'.")
    return Section(data, (), lines, path.name)


def _value(node: yaml.Node, path: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int], file: Path) -> Any:
    lines[path] = node.start_mark.line + 1
    if len(lines) > _MOST_VALUES:
        raise MappingError(f"{file.name}:{lines[path]}: more than {_MOST_VALUES} values, aliases written out.")
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in found:
                raise MappingError(f"{file.name}:{key_node.start_mark.line + 1}: '{key}' is there twice.")
            found[key] = _value(value_node, (*path, key), lines, file)
            lines[*path, key] = key_node.start_mark.line + 1
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, number), lines, file) for number, item in enumerate(node.value)]
    try:
        return yaml.SafeLoader("").construct_object(node)
    except (ValueError, LookupError, AttributeError) as error:  # what PyYAML lets through: 2026-13-40, !!bool maybe
        shown = reprlib.repr(node.value)
        raise MappingError(
            f"{file.name}:{lines[path]}: {shown} is no {node.tag.rpartition(':')[2]}: {error}."
        ) from None


def finite(value: Any) -> float:
    """A number that is one.

    Raises:
        ValueError: it is none, or not finite.
    """
    if isinstance(value, bool) or not math.isfinite(number := float(value)):
        raise ValueError("it must be a finite number")
    return number


def bounded(lowest: float, highest: float) -> Callable[[Any], float]:
    """A conversion that takes numbers between two others, ends included."""

    def convert(value: Any) -> float:
        if not lowest <= (number := finite(value)) <= highest:
            raise ValueError(f"it must lie between {lowest:g} and {highest:g}")
        return number

    return convert


def word(value: Any) -> str:
    """Words, at least one letter of them.

    Raises:
        ValueError: they are none.
    """
    if not isinstance(value, str) or not value:
        raise ValueError("it must be words")
    return value


def whole(value: Any) -> int:
    """A whole number.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("it must be a whole number")
    return value


def listed(value: Any) -> list[Any]:
    """A list.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, list):
        raise ValueError("it must be a list")
    return value
