"""Data formats of other packages (docs/how_to/add_a_data_format.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vitra_policy.extension_point import ExtensionPoint

if TYPE_CHECKING:  # both import this module
    from vitra_training.datasets.convert import EpisodeSink
    from vitra_training.datasets.sources import EpisodeSource

FORMATS = ExtensionPoint("data format", "vitra_training.formats")
"""Each entry point names a `DataFormat`."""


@dataclass(frozen=True, slots=True)
class DataFormat:
    """How a data set of some format is recognised, opened and written.

    Attributes:
        name: What commands call it.
        recognises: Whether a path holds a data set of this format.
        open: Opens one.
        create: Begins to write one into a folder that does not exist yet; None: it cannot be written.
    """

    name: str
    recognises: Callable[[Path], bool]
    open: Callable[[Path], EpisodeSource]
    create: Callable[[Path], EpisodeSink] | None = None


def installed_formats() -> dict[str, DataFormat]:
    """By name.

    Raises:
        ExtensionError: one cannot be imported, or is no `DataFormat`.
    """
    return {name: FORMATS.load(name, DataFormat) for name in FORMATS.names()}
