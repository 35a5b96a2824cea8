"""Places where installed packages add something by name: the one mechanism behind every `docs/how_to` page.

    POLICIES = ExtensionPoint("policy", "vitra_policy.policies", {"replay": "vitra_policy.policies.replay:make"})
    POLICIES.load("my_policy")

A package joins in with an entry point of that group:

    [project.entry-points."vitra_policy.policies"]
    my_policy = "my_package.my_module:make_policy"

Names are looked up when they are asked for, once a process, and nothing is imported but what is asked for.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from types import MappingProxyType
from typing import Any

from vitra_policy.errors import UnknownNameError, VitraError


class ExtensionError(VitraError):
    """Something that is known by name cannot be imported, or is not what is expected."""


@dataclass(frozen=True, slots=True)
class ExtensionPoint:
    """A kind of thing that is found by name.

    Attributes:
        kind: What it is called in messages.
        group: Entry point group that other packages join.
        built_in: Name to `module:attribute` of what comes with the project; an installed one of that name wins.
        help: What to do when an import fails.
    """

    kind: str
    group: str
    built_in: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    help: str = ""

    def targets(self) -> dict[str, str]:
        """Every name with its `module:attribute`."""
        return dict(self.built_in) | {point.name: point.value for point in _installed(self.group, tuple(sys.path))}

    def names(self) -> list[str]:
        """Every name, sorted."""
        return sorted(self.targets())

    def installed(self) -> list[str]:
        """Names that other packages bring, sorted."""
        return sorted({point.name for point in _installed(self.group, tuple(sys.path))})

    def load(self, name: str, expected: type | None = None) -> Any:
        """What a name stands for.

        Args:
            name: one of `names()`.
            expected: the type that it must have.

        Raises:
            UnknownNameError: no such name ("did you mean").
            ExtensionError: it cannot be imported, or has another type.
        """
        targets = self.targets()
        if name not in targets:
            raise UnknownNameError(self.kind, name, sorted(targets))
        module, _, attribute = targets[name].partition(":")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise ExtensionError(
                f"{self.kind.capitalize()} '{name}' ({targets[name]}) cannot be imported: {error}. {self.help}".rstrip()
            ) from error
        if expected is not None and not isinstance(found, expected):
            raise ExtensionError(
                f"{self.kind.capitalize()} '{name}' ({targets[name]}) is a {type(found).__name__}; the entry point "
                f"must name a {expected.__name__}."
            )
        return found


@cache
def _installed(group: str, path: tuple[str, ...]) -> EntryPoints:
    """Entry points of a group; looking for them opens a file of each of some 300 packages on the path."""
    return entry_points(group=group)
