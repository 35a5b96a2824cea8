"""Who publishes: a number that no two processes share, so that a second source of orders can be told apart."""

from __future__ import annotations

import secrets


def new_identity() -> int:
    """A random identity, above 0 and within uint64; made once, at the start of a publisher."""
    return secrets.randbits(63) | 1


class OneSource:
    """Lets one source of orders through at a time; another may take over when it has been silent for a while.

    Args:
        release_s: Silence after which the place is free.
    """

    def __init__(self, release_s: float = 1.0) -> None:
        self._release_s = release_s
        self._identity: int | None = None
        self._heard_s = self._second_s = float("-inf")

    def admits(self, identity: int, now_s: float) -> bool:
        """Whether an order of this source counts; one that does not is remembered as the second source."""
        if self._identity is None or now_s - self._heard_s > self._release_s:
            self._identity = identity
        if identity != self._identity:
            self._second_s = now_s
            return False
        self._heard_s = now_s
        return True

    def has_second(self, now_s: float) -> bool:
        """Whether a second source was heard lately."""
        return now_s - self._second_s <= self._release_s
