"""One process per device: a lock that the operating system frees when its owner dies."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO

from vitra_policy.errors import VitraError


class DeviceBusyError(VitraError):
    """Another process holds the device."""


class DeviceLock:
    """Exclusive hold on a named device of this machine, until `release` or the end of the process.

    Args:
        device: what is held, e.g. "realman-192.168.1.18".
        folder: where lock files live; all drivers of a machine must agree on it.

    Raises:
        DeviceBusyError: another process holds it; the message names the process.
    """

    def __init__(self, device: str, folder: Path | None = None) -> None:
        self.path = (folder or Path(tempfile.gettempdir())) / f"vitra-{device.replace('/', '_')}.lock"
        self._file: IO[str] = self.path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            owner = self._file.read().strip() or "unknown"
            self._file.close()
            raise DeviceBusyError(
                f"Device '{device}' is already driven by process {owner}. Two drivers on one device would fight: "
                f"stop that process first (lock file {self.path})."
            ) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Give the device back."""
        if not self._file.closed:
            self._file.close()
