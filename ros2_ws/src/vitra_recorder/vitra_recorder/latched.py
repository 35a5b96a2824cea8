"""Latched messages by time: which of them hold at a moment of the recent past."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from vitra_recorder.topics import Topic

_FRAME_SETS_KEPT = 16


@dataclass(slots=True)
class _Held:
    topic: Topic
    messages: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    """Content -> (first received, message), in order of arrival; for most topics only the newest few."""


class LatchedMessages:
    """Remembers what is latched for as long as a recording may reach back.

    Several publishers may latch on `/tf_static`, so all of its messages hold, told apart by content: serialised bytes
    also fill gaps between fields, at random. On every other topic the newest message holds.

    Args:
        span_s: how far back may be asked.
        content: same bytes for messages (of a topic) that say the same.
    """

    def __init__(self, span_s: float, content: Callable[[Topic, bytes], bytes]) -> None:
        self._span_ns, self._content = int(span_s * 1e9), content
        self._held: dict[str, _Held] = {}

    def take(self, topic: Topic, name: str, raw: bytes, received_ns: int) -> None:
        """A message came.

        Args:
            topic: As in the list of topics.
            name: Resolved name.
            raw: The message, CDR.
            received_ns: When it arrived, ROS time.
        """
        messages = self._held.setdefault(name, _Held(topic)).messages
        if _holds_all(topic):
            messages.setdefault(self._content(topic, raw), (received_ns, raw))
            while len(messages) > _FRAME_SETS_KEPT:
                del messages[next(iter(messages))]
            return
        messages[received_ns.to_bytes(8, "big", signed=True)] = (received_ns, raw)
        times = [at_ns for at_ns, _ in messages.values()]
        for key, following_ns in zip(tuple(messages), times[1:], strict=False):
            if following_ns <= received_ns - self._span_ns:
                del messages[key]

    def at(self, time_ns: int) -> list[tuple[Topic, str, bytes]]:
        """What was latched at a time, not after it."""
        found = []
        for name, held in self._held.items():
            known = [raw for at_ns, raw in held.messages.values() if at_ns <= time_ns]
            found += [(held.topic, name, raw) for raw in (known if _holds_all(held.topic) else known[-1:])]
        return found


def _holds_all(topic: Topic) -> bool:
    return topic.name.startswith("/tf")
