"""Results of an earlier run in an output folder: replaced, without touching what else lies there."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from vitra_policy.errors import VitraError


class OtherFilesError(VitraError):
    """An output folder that holds something else than results of the same command."""

    def __init__(self, folder: Path, mark: str) -> None:
        super().__init__(f"{folder} is left alone: it is not of an earlier run (it has no {mark}). Name a new folder.")


def clear_results(folder: Path, names: Iterable[str]) -> None:
    """Make the folder, and remove the results of these names that an earlier run left in it; other files stay.

    Args:
        folder: Where results go.
        names: Files and folders of this command.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def remove_run(folder: Path, mark: str) -> None:
    """Remove the whole folder of an earlier run, which has this file in it; an empty folder counts as one.

    Args:
        folder: Where the run was.
        mark: File that only such a run writes.

    Raises:
        OtherFilesError: it holds something else.
    """
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / mark).is_file()):
        raise OtherFilesError(folder, mark)
    shutil.rmtree(folder)
