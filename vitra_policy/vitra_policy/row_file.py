"""Records in a CSV file that only grows: every one is on the disk before anybody is told that it was taken."""

from __future__ import annotations

import csv
import os
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any


class RowFileError(ValueError):
    """A file with other columns."""


def append_row(path: Path, row: Any) -> None:
    """Add a dataclass of texts; the first one makes the file, with the names of its fields as first line."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(_names(type(row)))
        writer.writerow(astuple(row))
        file.flush()
        os.fsync(file.fileno())


def mend_last_line(path: Path) -> None:
    """End the line in whose middle the power went; what is added comes on a line of its own."""
    if path.is_file() and not path.read_bytes().endswith(b"\n"):
        with path.open("a") as file:
            file.write("\n")


def read_rows(path: Path, kind: type) -> list[list[str]]:
    """Rows of a file in the order of the dataclass's fields; incomplete ones (a power cut) are left out.

    Raises:
        RowFileError: other columns; the message has the first line that was expected.
    """
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    names = _names(kind)
    if not rows or rows[0] != names:
        raise RowFileError(f"first line {','.join(names)}")
    return [row for row in rows[1:] if len(row) == len(names)]


def _names(kind: type) -> list[str]:
    return [field.name for field in fields(kind)]
