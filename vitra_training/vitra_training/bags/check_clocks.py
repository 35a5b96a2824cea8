"""Judges the stamps of a bag: clocks that step, run behind or run apart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vitra_training.bags.check_streams import is_state
from vitra_training.bags.streams import CAMERA, BagStreams, StreamTimes
from vitra_training.datasets.episode import Array
from vitra_training.datasets.findings import Finding, Level
from vitra_training.datasets.limits import Limits

ERROR, WARNING = Level.ERROR, Level.WARNING
_WINDOW_S = 0.25
_LATE_WINDOWS = 2
"""A stream that is late in so many windows is not only one late message."""
_PARTS = 5
"""Drift is what is between the first and the last of so many parts of an episode."""
_LEAST_PART_S = 0.3
"""A shorter part may hold late messages only."""


def clocks(bag: BagStreams, limits: Limits) -> Iterator[Finding]:
    """Stamps that go back, clocks that step or are late."""
    for name, stream in bag.streams.items():
        if not is_state(name) or stream.latched or len(stream.stamps_ns) < 2:
            continue
        if (backward := int(np.sum(np.diff(stream.stamps_ns.read()) <= 0))) > 0:
            yield Finding(ERROR, "clock", f"{name}: {backward} stamps do not increase")
        delays = stream.arrivals_s - stream.stamps_s
        # A late message had a long way; one from the future, or far from the past, has another clock.
        leaps = np.where(delays[1:] < 0, delays[:-1] - delays[1:], 0.0)
        steps = np.maximum(leaps, -np.diff(stream.stamps_s))
        if steps.max() > limits.clock_s:
            at_s = stream.arrivals_s[int(np.argmax(steps)) + 1] - bag.begin_s
            yield Finding(ERROR, "clock", f"{name}: the clock steps by {steps.max():.2f} s at {at_s:.2f} s")
        elif (step := _late(bag, name, limits)) is not None:
            at_s, by_s = step
            yield Finding(
                ERROR, "clock", f"{name}: from {at_s:.2f} s on stamped {by_s:.2f} s earlier than before, while other "
                "streams are not: a clock stepped",
            )  # fmt: skip
        elif (ahead_s := -float(np.median(delays))) > limits.ahead_s:
            yield Finding(
                ERROR, "clock", f"{name}: stamped {ahead_s:.2f} s after its arrival: by another clock, so it belongs "
                "to another moment",
            )  # fmt: skip
        elif -ahead_s > limits.delay_s:
            yield Finding(WARNING, "clock", f"{name}: stamped {-ahead_s:.2f} s before its arrival")


def _late(bag: BagStreams, name: str, limits: Limits) -> tuple[float, float] | None:
    """When, and by how much, a stream began to arrive late for a while although others did not (s); None if never."""
    stream = bag.streams[name]
    grid = np.arange(bag.begin_s, bag.end_s, _WINDOW_S)
    least = _least_delays(stream, grid)
    others = [
        _least_delays(other, grid)
        for topic, other in bag.streams.items()
        if topic.split("/")[0] != name.split("/")[0]
        and is_state(topic)
        and not other.latched
        and len(other.stamps_ns) > 1
    ]
    if not others or not np.isfinite(least).any():
        return None
    rise = least - np.nanmin(np.where(np.isfinite(least), least, np.nan))
    alone = np.array([np.nanmin(column, initial=np.inf) for column in np.stack(others).T]) < limits.clock_s / 2
    late = np.flatnonzero(np.isfinite(rise) & (rise > limits.clock_s) & alone)
    if len(late) < _LATE_WINDOWS:
        return None
    return float(grid[late[0]] - bag.begin_s), float(rise[late[0]])


def _least_delays(stream: StreamTimes, grid: Array) -> Array:
    """Smallest delay of the messages that arrived in each window; NaN where none did."""
    delays = stream.arrivals_s - stream.stamps_s
    window = np.searchsorted(grid, stream.arrivals_s, side="right") - 1
    least = np.full(len(grid), np.inf)
    np.minimum.at(least, window, delays)
    return np.where(np.isfinite(least), least, np.nan)


def drifts(bag: BagStreams, limits: Limits) -> Iterator[Finding]:
    """Camera and joints whose stamps run apart while they arrive together, too slowly for a step.

    Judged by the least delays at both ends: whatever makes single messages late does not make all of them late.
    """
    part_s = (bag.end_s - bag.begin_s) / _PARTS
    grown = {
        name: by_s
        for name in (CAMERA, *bag.joints)
        if name in bag.streams and part_s >= _LEAST_PART_S and (by_s := _growth_s(bag, name, part_s)) is not None
    }
    apart = {name: grown[CAMERA] - by_s for name, by_s in grown.items() if name != CAMERA} if CAMERA in grown else {}
    if wide := {name: by_s for name, by_s in apart.items() if abs(by_s) > limits.drift_s}:
        names, most_s = ", ".join(sorted(wide)), max(map(abs, wide.values()))
        yield Finding(ERROR, "drift", f"the stamps of {CAMERA} and of {names} run apart by {most_s:.2f} s and more")


def _growth_s(bag: BagStreams, name: str, part_s: float) -> float | None:
    """By how much the least delay of a stream is larger in the last part of a bag than in the first one."""
    stream = bag.streams[name]
    if len(stream.stamps_ns) != len(stream.arrivals_ns):
        return None
    arrivals = stream.arrivals_s
    delays = arrivals - stream.stamps_s
    first, last = delays[arrivals < bag.begin_s + part_s], delays[arrivals > bag.end_s - part_s]
    return float(last.min() - first.min()) if len(first) and len(last) else None
