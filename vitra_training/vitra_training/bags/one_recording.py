"""Whether MCAP files are the parts of one recording: what they say of themselves, when they were recorded, copies."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import combinations, pairwise

from vitra_training.bags.mcap_recovery import Message, Recovery
from vitra_training.bags.own_account import disagreements

_GAP_NS = 2 * 10**9
"""A split costs no message, so the next part begins within a message period; every robot says something each 2 s."""
_OVERLAP_NS = 10**9 // 2
"""A busy recorder writes messages of one topic up to some 0.1 s after those of another, also across a split."""
_STRAGGLERS = 20
"""Latched messages, perhaps one a topic, may be repeated in a new part with their old times."""


def contradictions(parts: Mapping[str, Recovery], neighbours: Collection[tuple[str, str]]) -> list[str]:
    """Why files cannot be parts of one recording, in words; empty when nothing speaks against it.

    Args:
        parts: Name of the file -> what was read of it, in the order of their numbers.
        neighbours: Those of them that would have followed each other without a pause.
    """
    found = list(disagreements({name: part.about for name, part in parts.items()}))
    heard = [(name, part) for name, part in parts.items() if part.messages]
    copies = [(a, b) for (a, one), (b, other) in combinations(heard, 2) if _same(one.messages, other.messages)]
    found += [f"{b} is a copy of {a}" for a, b in copies]
    copied = {b for _, b in copies}
    return found + list(_misplaced([each for each in heard if each[0] not in copied], neighbours))


def _misplaced(heard: list[tuple[str, Recovery]], neighbours: Collection[tuple[str, str]]) -> Iterator[str]:
    for (a, one), (b, other) in pairwise(heard):
        before, after = one.messages, other.messages
        shorter_ns = min(times[-1].log_time_ns - times[0].log_time_ns for times in (before, after))
        overlap_ns = before[-1 - _spare(one)].log_time_ns - after[_spare(other)].log_time_ns
        if overlap_ns > min(_OVERLAP_NS, shorter_ns // 2):
            yield f"{b} begins {overlap_ns * 1e-9:.1f} s before {a} ends"
        gap_ns = after[0].log_time_ns - before[-1].log_time_ns
        # Where the end of a part is lost the gap tells nothing; the damage is named.
        whole = not (one.damages or other.damages)
        if (a, b) in neighbours and whole and gap_ns > _GAP_NS:
            yield f"{b} begins {gap_ns * 1e-9:.1f} s after {a} ends"


def _spare(part: Recovery) -> int:
    """Messages at each end whose times are not trusted; in a damaged part any of them may be wrong."""
    few = len(part.messages) // 50
    return few if part.damages else min(few, _STRAGGLERS)


def _same(one: list[Message], other: list[Message]) -> bool:
    return len(one) == len(other) and all(
        a.log_time_ns == b.log_time_ns and a.data == b.data for a, b in zip(one, other, strict=True)
    )
