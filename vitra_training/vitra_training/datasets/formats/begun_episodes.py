"""Names of the episodes that a conversion has begun in a folder with others, so that a killed one leaves none."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import IO

from vitra_policy.bag_storage import is_being_written
from vitra_training.datasets.errors import TargetTakenError
from vitra_training.datasets.formats.new_folder import BUSY, refuse_file

MARK = ".episodes.partial"
"""File of their names, one JSON text a line, while a conversion writes there, locked by its process."""


class BegunEpisodes:
    """Files of one conversion in a folder; those that a killed one left are removed, anything else there stays.

    Args:
        root: The folder; others may have put episodes there before.
        form: What is written there, in words.
        suffixes: Of an episode's files, whole or not.

    Raises:
        TargetTakenError: a file is there, or another conversion writes there.
    """

    def __init__(self, root: Path, form: str, suffixes: tuple[str, ...]) -> None:
        refuse_file(root, form)
        self.root, self._form, self._suffixes = root, form, suffixes
        self._was_there = root.exists()
        self._mark: IO[bytes] | None = None
        self._names: list[str] = []
        mark = root / MARK
        if mark.is_file():
            if is_being_written(mark):
                raise TargetTakenError(root, form, BUSY)
            self._remove(_names(mark))
            mark.unlink()  # the last: were this killed too, the next conversion would go on with it

    def begin(self, name: str) -> None:
        """Note an episode before the first byte of it is written; none of its files is there.

        Args:
            name: Its files are called so.

        Raises:
            TargetTakenError: another conversion was faster.
        """
        if self._mark is None:
            self.root.mkdir(parents=True, exist_ok=True)
            mark = (self.root / MARK).open("ab")
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                mark.close()
                raise TargetTakenError(self.root, self._form, BUSY) from None
            except OSError:
                pass  # some network file systems have no locks
            self._mark = mark
        self._names.append(name)
        self._mark.write(json.dumps(name).encode() + b"\n")
        self._mark.flush()

    def complete(self) -> None:
        """All is written."""
        if self._mark is not None:
            (self.root / MARK).unlink(missing_ok=True)
            self._mark.close()
            self._mark = None

    def remove(self) -> None:
        """Give up: what this conversion wrote goes, and so does the folder if it made that."""
        if self._mark is not None:
            self._remove(self._names)
            self.complete()
            if not self._was_there and not any(self.root.iterdir()):
                self.root.rmdir()

    def _remove(self, names: list[str]) -> None:
        for name in names:
            for suffix in self._suffixes:
                (self.root / f"{name}{suffix}").unlink(missing_ok=True)


def _names(mark: Path) -> list[str]:
    """What a mark names; its last line may be cut off, then nothing of that episode had been written."""
    found = []
    for line in mark.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            found.append(str(json.loads(line)))
    return found
