"""Names of the episodes that a conversion has begun in a folder with others, so that a killed one leaves none."""

from __future__ import annotations

import json
from pathlib import Path

from vitra_training.datasets.formats.mark import Mark
from vitra_training.datasets.formats.new_folder import refuse_file

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
        self.root, self._suffixes, self._was_there = root, suffixes, root.exists()
        self._mark, self._names = Mark(root / MARK, form), list[str]()
        self._mark.refuse_living()
        if self._mark.path.is_file():
            self._remove(_names(self._mark.path))
            self._mark.path.unlink()  # the last: were this killed too, the next conversion would go on with it

    def begin(self, name: str) -> None:
        """Note an episode before the first byte of it is written; none of its files is there.

        Args:
            name: Its files are called so.

        Raises:
            TargetTakenError: another conversion was faster.
        """
        self._mark.take()
        self._names.append(name)
        self._mark.note(json.dumps(name).encode())

    def complete(self) -> None:
        """All is written."""
        self._mark.drop()

    def remove(self) -> None:
        """Give up: what this conversion wrote goes, and so does the folder if it made that."""
        if self._mark.is_taken:
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
