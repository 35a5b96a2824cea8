"""How busy this machine's processors were for a while: whether a robot's graph had room to keep time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

FULL_SHARE = 0.85
"""From here on nodes wait for each other's processors often enough to be late."""
_IDLE, _IO_WAIT = 3, 4


def read_times() -> list[int]:
    """Time that all processors together have spent in each state since the start [ticks], as /proc/stat has them."""
    return [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]


class ProcessorUse:
    """Share of all processors' time that was taken since this was made.

    Args:
        read: Gives the times of states.
    """

    def __init__(self, read: Callable[[], list[int]] = read_times) -> None:
        self._read, self._begun = read, read()

    def busy_share(self) -> float:
        """From 0 to 1."""
        taken = [now - then for now, then in zip(self._read(), self._begun, strict=True)]
        idle = taken[_IDLE] + taken[_IO_WAIT]
        return 1.0 - idle / max(sum(taken), 1)

    def advice(self) -> str:
        """What to tell somebody whose robot did not keep time; empty where the processors had room."""
        share = self.busy_share()
        if share < FULL_SHARE:
            return ""
        return (
            f"The processors were {100 * share:.0f} % busy meanwhile: nodes were late because this machine had no room "
            "for them. Close other programs and run it again; `make rollout` does the task in lockstep on any machine."
        )
