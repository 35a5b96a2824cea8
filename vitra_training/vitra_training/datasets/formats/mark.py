"""A file that says that a conversion writes in a folder, locked by its process for as long as that lives."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from vitra_policy.bag_storage import is_being_written
from vitra_training.datasets.errors import TargetTakenError

_BUSY = "another conversion writes there; let it end, or choose a new folder"


class Mark:
    """Of one folder.

    Args:
        path: The file.
        form: What is written in its folder, in words.
    """

    def __init__(self, path: Path, form: str) -> None:
        self.path, self._form = path, form
        self._file: IO[bytes] | None = None

    @property
    def is_taken(self) -> bool:
        """Whether it is this process that writes."""
        return self._file is not None

    def refuse_living(self) -> None:
        """A mark that is there is that of a dead process.

        Raises:
            TargetTakenError: a living one writes there.
        """
        if self.path.is_file() and is_being_written(self.path):
            raise TargetTakenError(self.path.parent, self._form, _BUSY)

    def take(self) -> None:
        """Make the folder and the mark, if this has not been done.

        Raises:
            TargetTakenError: another conversion was faster.
        """
        if self._file is not None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        mark = self.path.open("ab")
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            mark.close()
            raise TargetTakenError(self.path.parent, self._form, _BUSY) from None
        except OSError:
            pass  # some network file systems have no locks
        self._file = mark

    def note(self, line: bytes) -> None:
        """Append a line to a mark that is taken, before anything else is written."""
        assert self._file is not None
        self._file.write(line + b"\n")
        self._file.flush()

    def empty(self) -> None:
        """Forget what a dead process wrote into a mark that is taken."""
        assert self._file is not None
        self._file.truncate(0)

    def release(self) -> None:
        """Leave it there with what it says, for whoever goes on."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def drop(self) -> None:
        """All is written, or nothing of it is left."""
        if self._file is not None:
            self.path.unlink(missing_ok=True)
            self.release()
