"""Notice the end of the process that started this one, whatever ended it (Linux pidfd)."""

from __future__ import annotations

import os
import select
from collections.abc import Mapping

END_WITH_PARENT = "VITRA_END_WITH_PARENT"
"""Environment variable of launch files: with the value 1, a node ends with the launcher that started it."""


class ParentWatch:
    """Watches the parent of this process.

    A launcher reads what its processes write, so a broken standard output at the start means that it was gone before
    its name could be asked for: the parent would then be a stranger who took the orphan in.

    Args:
        pid: The parent, as far as known.
        output: File descriptor of the standard output.
    """

    def __init__(self, pid: int, output: int = 1) -> None:
        self.pid = pid
        self._descriptor: int | None = None
        if not _is_broken(output):
            try:
                self._descriptor = os.pidfd_open(pid)
            except OSError:
                return  # gone already
            if os.getppid() != pid:
                self.close()

    @classmethod
    def wanted(cls, environment: Mapping[str, str] = os.environ) -> ParentWatch | None:
        """A watch if the environment asks for it."""
        return cls(os.getppid()) if environment.get(END_WITH_PARENT) == "1" else None

    @property
    def descriptor(self) -> int | None:
        """Becomes readable when the parent ends; None if it has ended before."""
        return self._descriptor

    def close(self) -> None:
        """Stop watching."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _is_broken(output: int) -> bool:
    poll = select.poll()
    poll.register(output, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
