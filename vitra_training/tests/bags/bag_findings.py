"""What the tests of a bag's check share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from vitra_training.bags.check import check_bag

SECOND = 1_000_000_000
Messages: TypeAlias = list[tuple[str, int, Any]]
Spoil: TypeAlias = Callable[[Messages], None]
"""Changes the messages of a good episode in place."""


def findings(path: Path) -> list[str]:
    """Every finding as `level check: message`."""
    return [f"{found.level} {found.check}: {found.message}" for found in check_bag(path)[0].findings]


def errors(path: Path) -> list[str]:
    """The errors among them."""
    return [found for found in findings(path) if found.startswith("error")]


def of_topic(messages: Messages, ending: str, from_s: float = 0.0) -> list[Any]:
    """Messages of the topics that end so and come from a time of the episode on."""
    begin_ns = messages[0][1]
    return [m for topic, t, m in messages if topic.endswith(ending) and t - begin_ns >= from_s * SECOND]
