"""Columns of numbers of any length in a temporary file: half an hour of two arms has two million stamps."""

from __future__ import annotations

import tempfile
from array import array
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.errors import DiskError

_BLOCK = 8192
"""Numbers of a column that wait in memory until they are written together."""
_IN_MEMORY_BYTES = 4_000_000
"""So much of all columns together needs no file."""


class Columns:
    """Columns that share one temporary file; it is gone when nobody has them any more."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115  # open as long as they are

    def column(self, kind: Literal["q", "f"]) -> Column:
        """An empty column of whole numbers ("q", 64 bits) or of single precision ("f")."""
        return Column(self, kind)

    def write(self, data: bytes) -> int:
        """Append bytes; returns where they begin.

        Raises:
            DiskError: there is no room for them.
        """
        try:
            place = self._file.seek(0, 2)
            self._file.write(data)
        except OSError as cause:
            raise DiskError(f"a file in {tempfile.gettempdir()}", cause) from None
        return place

    def read(self, place: int, target: memoryview) -> None:
        """Fill a buffer with the bytes from a place on."""
        self._file.seek(place)
        target[:] = self._file.read(len(target))


class Column:
    """Numbers of one kind; the newest few are in memory.

    Args:
        columns: Where the others are.
        kind: Type code of their array.
    """

    def __init__(self, columns: Columns, kind: Literal["q", "f"]) -> None:
        self._columns, self._places = columns, array("q")
        self._tail: array[Any] = array(kind)
        self.first: float = 0
        """The first number, 0 where there is none."""
        self.last: float = 0
        """The last one."""

    def __len__(self) -> int:
        return len(self._places) * _BLOCK + len(self._tail)

    def append(self, *numbers: float) -> None:
        """Some numbers more, at least one and fewer than a block."""
        if not len(self):
            self.first = numbers[0]
        self.last = numbers[-1]
        self._tail.extend(numbers)
        if len(self._tail) >= _BLOCK:
            self._places.append(self._columns.write(self._tail[:_BLOCK].tobytes()))
            del self._tail[:_BLOCK]

    def read(self) -> NDArray[Any]:
        """(N,) all numbers."""
        numbers = np.empty(len(self), dtype=self._tail.typecode)
        for block, place in enumerate(self._places):
            part = numbers[block * _BLOCK : (block + 1) * _BLOCK]
            self._columns.read(place, part.data.cast("B"))
        numbers[len(self._places) * _BLOCK :] = self._tail
        return numbers
