"""Which form of a camera's images is used where a bag holds several: raw, compressed, video."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from vitra_policy.camera_messages.video import base_topic

_AS_MANY = 0.9
"""Share of the images of the most complete form that one must have to be preferred for being less compressed."""
_PREFERRED = {"": 0, "/compressed": 1}
"""What is appended to a topic -> its place; video is the last."""


def names_of(connections: Iterable[Any]) -> dict[str, str]:
    """Topic -> name of its stream: of each camera one form has the camera's name, the others keep their own.

    Raw images come first, then compressed ones, then video; a form of which only a part was recorded comes last.

    Args:
        connections: Of a reader, with counts of messages.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for connection in connections:
        counts[base_topic(connection.topic)][connection.topic] += int(connection.msgcount)
    names: dict[str, str] = {}
    for base, forms in counts.items():
        complete = [topic for topic in forms if forms[topic] >= _AS_MANY * max(forms.values())]
        used = min(complete, key=lambda topic: (_PREFERRED.get(_suffix(topic), 2), topic))
        names |= {topic: topic.strip("/") if _suffix(topic) else f"{base} raw" for topic in forms} | {used: base}
    return names


def _suffix(topic: str) -> str:
    return topic.strip("/").removeprefix(base_topic(topic))
