"""One process that a launch file asks for."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import yaml

from vitra_launch.parameter_values import Value, as_yaml

ANY_NODE = "/**"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter for one node of a process.

    Attributes:
        node: Its full name, or ANY_NODE. A full name wins over a pattern in a parameter file, whichever comes first.
        name: Of the parameter.
        value: Typed.
    """

    node: str
    name: str
    value: Value

    def words(self, folder: Path) -> tuple[str, str]:
        """As options of a ROS node; only a file can name the node in full."""
        if self.node == ANY_NODE:
            return "-p", f"{self.name}:={as_yaml(self.value)}"
        with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".yaml", delete=False) as file:
            yaml.safe_dump({self.node: {"ros__parameters": {self.name: self.value}}}, file)
        return "--params-file", file.name


Word: TypeAlias = str | Parameter


@dataclass(frozen=True)
class Process:
    """One process to run; the defaults are the native tool's.

    Attributes:
        start_after_s: Given by a <timer>.
    """

    label: str
    command: tuple[Word, ...]
    environment: dict[str, str]
    respawn: bool = False
    respawn_delay_s: float = 0.0
    respawn_max_retries: int = -1
    shutdown_on_exit: bool = False
    cwd: str | None = None
    sigterm_timeout_s: float = 5.0
    sigkill_timeout_s: float = 5.0
    start_after_s: float = 0.0

    def words(self, folder: Path) -> list[str]:
        """The command line.

        Args:
            folder: For the files that it needs.
        """
        words: list[str] = []
        for word in self.command:
            words += (word,) if isinstance(word, str) else word.words(folder)
        return words
