"""A temporary folder that is gone when its process is, even one that was killed: the next one sweeps it away."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import weakref
from pathlib import Path

_LOCK = ".in_use"
"""File in the folder, locked by its process for as long as that lives."""


class ScratchFolder:
    """A folder below the system's one of temporary files, removed with this object.

    Args:
        prefix: Its name begins so; what dead processes left under the same one is removed first.
    """

    def __init__(self, prefix: str) -> None:
        _sweep(prefix)
        self._folder = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
        self.path = Path(self._folder.name)
        new = self.path / f"{_LOCK}.new"
        # A number, not a file: sources of episodes are pickled for the workers of a loader.
        descriptor = os.open(new, os.O_CREAT | os.O_RDWR)
        weakref.finalize(self, os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return  # without locks nobody can tell who lives, so it is not swept either
        new.rename(self.path / _LOCK)  # locked under its name from the first moment on

    def remove(self) -> None:
        """Nobody needs it any more."""
        self._folder.cleanup()


def _sweep(prefix: str) -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        try:
            with (folder / _LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # in use, somebody else's, or of a version that locked nothing
