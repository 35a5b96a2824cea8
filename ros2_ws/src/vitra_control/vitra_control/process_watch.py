"""Notice at once when a process of this machine ends, whatever ended it (Linux pidfd)."""

from __future__ import annotations

import os
import platform
import select


class ProcessWatch:
    """Watches the processes behind heartbeats.

    Args:
        host: name of this machine; processes elsewhere are left to the heartbeat's timeout.
    """

    def __init__(self, host: str = platform.node()) -> None:
        self._host = host
        self._pids: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._poll = select.poll()

    def seen(self, name: str, pid: int, host: str) -> None:
        """A sign of life of `name` came from this process; the newest process of a name is the one watched.

        Args:
            name: Of the node.
            pid: Of its process.
            host: Machine it runs on; only processes of this one can be watched.
        """
        if host != self._host or pid <= 0 or self._pids.get(name) == pid:
            return
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return  # already gone: the next sign of life or the timeout tells
        self._forget(name)
        self._pids[name] = pid
        self._names[descriptor] = name
        self._poll.register(descriptor, select.POLLIN)

    def ended(self) -> list[str]:
        """Names whose process has ended since the last call."""
        names = [self._names[descriptor] for descriptor, _ in self._poll.poll(0)]
        for name in names:
            self._forget(name)
        return names

    def close(self) -> None:
        """Stop watching."""
        for name in list(self._pids):
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._pids.pop(name, None)
        for descriptor in [d for d, n in self._names.items() if n == name]:
            self._poll.unregister(descriptor)
            os.close(descriptor)
            del self._names[descriptor]
