"""Names of the episodes that a conversion has begun in a folder with others, so that a killed one leaves none."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from vitra_training.datasets.errors import TargetTakenError
from vitra_training.datasets.formats.mark import Mark
from vitra_training.datasets.formats.new_folder import refuse_file

MARK = ".episodes.partial"
"""File with a JSON text a line, locked by its process while that writes there: a name that is begun, or a file that is
whole as `[name, bytes, time of change in ns]`."""


class BegunEpisodes:
    """Files of one conversion in a folder; those that a killed one left are removed, anything else there stays.

    Args:
        root: The folder; others may have put episodes there before.
        form: What is written there, in words.
        whole: Endings of an episode's files; nobody but the conversion that noted one as its own may remove it.
        unfinished: Endings of what is being written.

    Raises:
        TargetTakenError: a file is there, another conversion writes there, or somebody put a file of theirs where a
            killed one had begun an episode.
    """

    def __init__(self, root: Path, form: str, whole: tuple[str, ...], unfinished: tuple[str, ...]) -> None:
        refuse_file(root, form)
        self.root, self._whole, self._unfinished, self._was_there = root, whole, unfinished, root.exists()
        self._mark, self._names, self._files = Mark(root / MARK, form), list[str](), dict[str, list[int]]()
        self._mark.refuse_living()
        if self._mark.path.is_file():
            names, files = _noted(self._mark.path)
            places = [root / f"{name}{ending}" for name in names for ending in whole]
            if foreign := [p for p in places if p.exists() and files.get(p.name) != _state(p)]:
                detail = (
                    f"an interrupted conversion began {foreign[0].stem}, but {foreign[0]} is not the file that it "
                    "wrote; move that away, then the same command goes on"
                )
                raise TargetTakenError(root, form, detail)
            self._remove(names, files)
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

    def wrote(self, file: Path) -> None:
        """Note a file of an episode as soon as it is whole, so that it can be told from one that somebody put there.

        Args:
            file: In the folder.
        """
        self._files[file.name] = _state(file)
        self._mark.note(json.dumps([file.name, *self._files[file.name]]).encode())

    def complete(self) -> None:
        """All is written."""
        self._mark.drop()

    def remove(self) -> None:
        """Give up: what this conversion wrote goes, and so does the folder if it made that."""
        if self._mark.is_taken:
            self._remove(self._names, self._files)
            self.complete()
            if not self._was_there and not any(self.root.iterdir()):
                self.root.rmdir()

    def _remove(self, names: list[str], files: dict[str, list[int]]) -> None:
        for name in names:
            for ending in self._unfinished:
                (self.root / f"{name}{ending}").unlink(missing_ok=True)
            for place in (self.root / f"{name}{ending}" for ending in self._whole):
                if place.exists() and files.get(place.name) == _state(place):
                    place.unlink()


def _state(file: Path) -> list[int]:
    about = file.stat()
    return [about.st_size, about.st_mtime_ns]


def _noted(mark: Path) -> tuple[list[str], dict[str, list[int]]]:
    """Names and files of a mark; its last line may be cut off, then it is not known what was written."""
    names, files = list[str](), dict[str, list[int]]()
    for line in mark.read_bytes().splitlines(keepends=True):
        with contextlib.suppress(ValueError):  # a power cut may leave zeros where lines were
            said = json.loads(line) if line.endswith(b"\n") else None
            if isinstance(said, list) and said:
                files[str(said[0])] = said[1:]
            elif isinstance(said, str):
                names.append(said)
    return names, files
