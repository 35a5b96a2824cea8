"""Whether an operator's console is in touch."""

from __future__ import annotations

import time
from collections.abc import Callable


class Presence:
    """When a console was last heard of.

    Args:
        timeout_s: longest silence of a console that is there.
        clock: monotonic seconds.
    """

    def __init__(self, timeout_s: float = 0.6, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeout_s, self._clock = timeout_s, clock
        self._seen_s = -1e9

    def touch(self) -> None:
        """A console said that it is there."""
        self._seen_s = self._clock()

    def leave(self) -> None:
        """The console is gone."""
        self._seen_s = -1e9

    @property
    def is_there(self) -> bool:
        """Whether somebody is in touch."""
        return self._clock() - self._seen_s < self._timeout_s
