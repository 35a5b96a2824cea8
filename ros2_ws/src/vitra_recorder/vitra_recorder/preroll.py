"""The last seconds before an episode starts, kept in memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from vitra_recorder.topics import Topic


@dataclass(frozen=True, slots=True)
class Kept:
    """One serialised message and when it came."""

    topic: Topic
    name: str
    arrival_ns: int
    data: bytes


class PreRoll:
    """A ring of messages bounded in time and in memory.

    Args:
        seconds: how far back it reaches; 0 keeps nothing.
        limit_bytes: most memory; the oldest goes first.
    """

    def __init__(self, seconds: float, limit_bytes: int) -> None:
        self._span_ns, self._limit_bytes = int(seconds * 1e9), limit_bytes
        self._kept: deque[Kept] = deque()
        self._bytes = 0
        self.lacks_memory = False
        """Whether something was let go that was not too old."""

    def add(self, topic: Topic, name: str, arrival_ns: int, data: bytes) -> None:
        """Keep a message.

        Args:
            topic: As in the list of topics.
            name: Resolved name.
            arrival_ns: When it arrived, ROS time.
            data: The message, CDR.
        """
        if not self._span_ns:
            return
        self._kept.append(Kept(topic, name, arrival_ns, data))
        self._bytes += len(data)
        oldest_ns = arrival_ns - self._span_ns
        while self._kept and (self._bytes > self._limit_bytes or self._kept[0].arrival_ns < oldest_ns):
            gone = self._kept.popleft()
            self._bytes -= len(gone.data)
            self.lacks_memory |= gone.arrival_ns >= oldest_ns

    def take(self, now_ns: int) -> list[Kept]:
        """What is kept and not older than the span, in order of arrival; the ring is empty afterwards."""
        kept = [item for item in self._kept if item.arrival_ns >= now_ns - self._span_ns]
        self._kept.clear()
        self._bytes, self.lacks_memory = 0, False
        return kept
