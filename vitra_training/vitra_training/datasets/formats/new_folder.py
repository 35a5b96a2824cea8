"""The folder that a conversion makes: refused where something is, cleared of what a killed conversion left in it."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from vitra_training.datasets.errors import TargetTakenError
from vitra_training.datasets.formats.mark import Mark

MARK = ".writing.partial"
"""File in a folder while a conversion writes there, locked by its process."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which files a format has."""

    name: str
    files: re.Pattern[str]
    """Every file that a writer of the format makes, seen from the folder; whole or not."""
    last: str | None = None
    """File that is written last, if the format has one: without it a data set is not complete."""


class NewFolder:
    """A folder that only one conversion writes.

    What a killed conversion left is removed, if the mark says that one wrote there, no process does any more, and each
    file has a name that the format gives; anything else is somebody's data and stays.

    Args:
        root: The folder.
        layout: Of the format.

    Raises:
        TargetTakenError: something is there.
    """

    def __init__(self, root: Path, layout: Layout) -> None:
        self.root, self._mark = root, Mark(root / MARK, layout.name)
        if root.exists() or root.is_symlink():
            _clear(root, layout, self._mark)

    def take(self) -> None:
        """Make the folder, if this has not been done, and mark it as being written.

        Raises:
            TargetTakenError: another conversion was faster.
        """
        self._mark.take()

    def complete(self) -> None:
        """All is written."""
        self._mark.drop()

    def remove(self) -> None:
        """Give up: it was empty before, so all in it is ours."""
        if self._mark.is_taken:
            shutil.rmtree(self.root, ignore_errors=True)
            self._mark.drop()


def refuse_file(root: Path, form: str) -> None:
    """A folder cannot be made where a file is.

    Args:
        root: The place.
        form: What was to be written there, in words.

    Raises:
        TargetTakenError: it is a file, or a link to nowhere.
    """
    if root.is_symlink() and not root.exists():
        raise TargetTakenError(root, form, "it is a link to nowhere; choose a new folder")
    if root.exists() and not root.is_dir():
        raise TargetTakenError(root, form, "it is a file, not a folder; choose a new folder")


def _clear(root: Path, layout: Layout, own: Mark) -> None:
    refuse_file(root, layout.name)
    if not any(root.iterdir()):
        return
    mark = own.path
    own.refuse_living()
    files = [path for path in root.rglob("*") if path != mark and (path.is_symlink() or not path.is_dir())]
    foreign = [path for path in files if not layout.files.fullmatch(path.relative_to(root).as_posix())]
    unfinished = layout.last is None or not (root / layout.last).exists()
    if mark.is_file() and unfinished and not foreign:
        for path in [*files, *sorted((p for p in root.rglob("*") if p.is_dir()), reverse=True)]:
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        mark.unlink()  # the last: were this killed too, the next conversion would go on with it
        return
    detail = "it is not empty; choose a new folder"
    if unfinished and mark.is_file():
        detail = f"an interrupted conversion left it, but {foreign[0]} is not of a conversion; move that away"
    elif unfinished and layout.last and files and not foreign:
        # Of a version without marks, or somebody's data set that has lost its last file: nobody but them can tell.
        detail = (
            f"it is not empty: an interrupted conversion (there is no {layout.last}) seems to have left it. If nobody "
            f"needs it, `rm -r {root}`, then the same command again; or choose a new folder"
        )
    raise TargetTakenError(root, layout.name, detail)
