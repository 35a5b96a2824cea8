"""What a conversion into several formats has begun: the same command, after a kill, goes on with what is not whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection, Sequence
from pathlib import Path

from vitra_training.bags.writer import refuse_inside_bag
from vitra_training.datasets.convert import Format
from vitra_training.datasets.errors import DiskError
from vitra_training.datasets.formats.begun_episodes import MARK as EPISODES_MARK
from vitra_training.datasets.formats.new_folder import MARK, refuse_file
from vitra_training.datasets.whole_file import whole_file

NAME = ".conversion.json"
"""File beside the folders of the formats, there while they are not all whole."""


class ConversionJournal:
    """Kept in the folder of a conversion; it only ever says what may be left as it is, and removes nothing.

    Args:
        out: Folder of the conversion; each format has a folder in it.
        bags: What is converted; if one of their files changes, it is another conversion.
        unchecked: Whether it takes what fails its check.

    Raises:
        InsideBagError: the folder is in a bag.
        TargetTakenError: it is a file.
    """

    def __init__(self, out: Path, bags: Sequence[Path], unchecked: bool) -> None:
        refuse_inside_bag(out)
        refuse_file(out, "data sets")
        self._out, self._key = out, _key(bags, unchecked)
        self._begun: set[str] = set()

    def whole(self, formats: Collection[Format]) -> list[Format]:
        """Formats that the same conversion, killed since, had completed: it had begun them in new folders.

        Args:
            formats: Those that are wanted now.
        """
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads((self._out / NAME).read_text(encoding="utf-8"))
            if said["conversion"] == self._key:
                self._begun = set(map(str, said["formats"]))
        return [format for format in formats if str(format) in self._begun and _is_whole(self._out / str(format))]

    def begin(self, formats: Collection[Format | str]) -> None:
        """Note those that are in no folder yet, or in one that a killed conversion left.

        Args:
            formats: Which will be written.

        Raises:
            DiskError: it cannot be noted.
        """
        places = {str(format): self._out / str(format) for format in formats}
        self._begun |= {name for name, place in places.items() if not place.exists() or _is_marked(place)}
        try:
            self._out.mkdir(parents=True, exist_ok=True)
            with whole_file(self._out / NAME) as file:
                file.write(json.dumps({"conversion": self._key, "formats": sorted(self._begun)}).encode())
        except OSError as error:
            raise DiskError(str(self._out), error) from None

    def end(self) -> None:
        """All is whole, or nothing was written at all."""
        (self._out / NAME).unlink(missing_ok=True)
        if self._out.is_dir() and not any(self._out.iterdir()):
            self._out.rmdir()

    def give_up(self) -> None:
        """It failed; what is whole stays known for as long as there is some."""
        if not any(_is_whole(self._out / name) for name in self._begun):
            self.end()


def _is_whole(folder: Path) -> bool:
    """Writers mark a folder before they write, and take the mark away when all of it is there."""
    return folder.is_dir() and any(folder.iterdir()) and not _is_marked(folder)


def _is_marked(folder: Path) -> bool:
    return any((folder / mark).exists() for mark in (MARK, EPISODES_MARK))


def _key(bags: Sequence[Path], unchecked: bool) -> str:
    digest = hashlib.sha256(f"{unchecked}\n".encode())
    for bag in bags:
        for file in sorted(path for path in bag.rglob("*") if path.is_file()):
            about = file.stat()
            digest.update(f"{file.resolve()} {about.st_size} {about.st_mtime_ns}\n".encode())
    return digest.hexdigest()
