"""Reads YAML so that every complaint can name its line."""

from __future__ import annotations

import difflib
import math
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import yaml

T = TypeVar("T")
Node = yaml.nodes.Node
_HALF = re.compile("[\ud800-\udfff]")


class Reader:
    """Collects problems instead of stopping at the first one.

    Attributes:
        problems: (line, reason) of everything that is wrong so far.
    """

    def __init__(self) -> None:
        self.problems: list[tuple[int, str]] = []

    def parse(self, text: str) -> Node | None:
        """Root node of a document; None (and a problem) when it is not YAML."""
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            for token in yaml.scan(text, Loader=yaml.SafeLoader):
                if isinstance(token, yaml.ScalarToken) and _HALF.search(token.value):
                    self.problem(token.start_mark.line + 1, f"{token.value!r} has half a character in it")
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            self.problem(mark.line + 1 if mark else 1, f"not YAML: {getattr(error, 'problem', None) or error}")
            return None
        except RecursionError:
            self.problem(1, "not a plan: brackets within brackets, too deep to read")
            return None
        if node is None:
            self.problem(1, "the file is empty")
        return node

    def problem(self, where: Node | int, reason: str) -> None:
        """Note something wrong."""
        self.problems.append((where if isinstance(where, int) else where.start_mark.line + 1, reason))

    def unknown(self, where: Node | int, kind: str, name: str, allowed: Iterable[str]) -> None:
        """Note a name that does not exist, with the closest one that does.

        Args:
            where: Node or line it stands in.
            kind: Such as 'key'.
            name: What stands there.
            allowed: Names that exist.
        """
        names = sorted(allowed)
        close = difflib.get_close_matches(name, names, n=1)
        guess = f" Did you mean '{close[0]}'?" if close else ""
        self.problem(where, f"unknown {kind} '{name}'.{guess} Allowed: {', '.join(names) or 'none'}.")

    def entries(self, node: Node | None, what: str) -> dict[str, Node]:
        """Keys and values of a mapping; duplicates are a problem."""
        if node is None:
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.problem(node, f"{what} must be a mapping of names")
            return {}
        found: dict[str, Node] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in found:
                self.problem(key, f"'{name}' is given twice in {what}")
            found[name] = value
        return found

    def fields(self, node: Node | None, what: str, allowed: Iterable[str], required: Iterable[str]) -> dict[str, Node]:
        """Entries of a mapping with a fixed set of keys.

        Args:
            node: The mapping; None: it is missing.
            what: Its name, for messages.
            allowed: Keys it may have.
            required: Keys it must have.
        """
        found, allowed = self.entries(node, what), tuple(allowed)
        for name in [n for n in found if n not in allowed]:
            self.unknown(found.pop(name), f"key of {what}", name, allowed)
        if node is not None:
            for name in required:
                if name not in found:
                    self.problem(node, f"{what} lacks '{name}'")
        return found

    def items(self, node: Node | None, what: str) -> list[Node]:
        """Elements of a list."""
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.problem(node, f"{what} must be a list")
            return []
        return list(node.value)

    def value(
        self, node: Node | None, what: str, kind: type[T], default: T, check: Callable[[T], str] | None = None
    ) -> T:
        """A scalar of a type; `check` answers what is wrong with it, or an empty string.

        Args:
            node: The scalar; None: it is missing.
            what: Its name, for messages.
            kind: Its type.
            default: When it is missing or wrong.
            check: Judges the value.
        """
        if node is None:
            return default
        value: Any = self.plain(node)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value) if abs(value) < sys.float_info.max else math.inf
        if kind is str and isinstance(value, int | float) and not isinstance(value, bool):
            value = str(node.value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.problem(node, f"{what} must be {kind.__name__}, got {value!r}")
            return default
        if isinstance(value, float) and not math.isfinite(value):
            self.problem(node, f"{what} must be a finite number, got {value!r}")
            return default
        if check and (reason := check(value)):
            self.problem(node, f"{what} {reason}")
            return default
        return value

    @staticmethod
    def plain(node: Node) -> Any:
        """Node to plain Python."""
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(node, deep=True)
        except Exception:  # an error of its own for every value that is not what it is tagged or looks like
            return None
        finally:
            loader.dispose()
