"""Judges the streams of a bag one by one: rates, gaps, age of joints at frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vitra_training.bags.streams import CAMERA, MEASURED, BagStreams, StreamTimes, usual_period_s
from vitra_training.datasets.findings import Finding, Level
from vitra_training.datasets.limits import Limits
from vitra_training.datasets.rates import rate_words

ERROR, WARNING = Level.ERROR, Level.WARNING


@dataclass(frozen=True, slots=True)
class StreamReport:
    """One stream in figures."""

    topic: str
    count: int
    rate_hz: float
    declared_hz: float | None
    longest_gap_s: float
    gaps: int
    delay_p50_s: float
    delay_max_s: float


@dataclass(frozen=True, slots=True)
class Skew:
    """Age of a stream's newest sample at the camera frames."""

    p50_s: float
    p95_s: float
    max_s: float
    masked: float
    """Share of frames without a fresh sample."""


def is_state(topic: str) -> bool:
    """Streams that flow as long as the robot is on, whatever it does."""
    return topic == CAMERA or topic.endswith((*MEASURED, "camera_info"))


def measure(stream: StreamTimes, declared_hz: float | None, limits: Limits) -> StreamReport:
    """The figures of one stream.

    Args:
        stream: Its times.
        declared_hz: What the recorder expected.
        limits: From when on something is bad.
    """
    times = stream.stamps_s if len(stream.stamps_ns) == len(stream.arrivals_ns) else stream.arrivals_s
    periods = np.diff(times)
    typical_s = usual_period_s(times)
    # Commands pause when nothing is to be commanded, so their rate is that of their usual period.
    rate_hz = (len(periods) / max(float(times[-1] - times[0]), 1e-9)) if len(periods) else 0.0
    if not is_state(stream.topic) and typical_s > 0:
        rate_hz = 1.0 / typical_s
    limit_s = max(limits.gap_periods / declared_hz if declared_hz else limits.gap_periods * typical_s, 0.06)
    delays = stream.arrivals_s - stream.stamps_s if len(stream.stamps_ns) else np.zeros(1)
    return StreamReport(
        stream.topic, len(times), rate_hz, declared_hz, float(periods.max(initial=0.0)),
        int(np.sum(periods > limit_s)) if is_state(stream.topic) else 0,
        float(np.median(delays)), float(delays.max(initial=0.0)),
    )  # fmt: skip


def rates(bag: BagStreams, streams: tuple[StreamReport, ...], limits: Limits) -> Iterator[Finding]:
    """Gaps, and rates other than declared.

    Args:
        bag: The streams.
        streams: Their figures.
        limits: From when on something is bad.
    """
    for stream in streams:
        if is_state(stream.topic) and bag.streams[stream.topic].latched:
            continue
        if is_state(stream.topic):
            arrivals = bag.streams[stream.topic].arrivals_s
            for what, silence_s in (("starts", arrivals[0] - bag.begin_s), ("ends", bag.end_s - arrivals[-1])):
                if silence_s > limits.gap_error_s:
                    when = "after the beginning" if what == "starts" else "before the end"
                    yield Finding(ERROR, "gap", f"{stream.topic} {what} {silence_s:.2f} s {when}")
            if stream.longest_gap_s > limits.gap_error_s:
                yield Finding(ERROR, "gap", f"{stream.topic}: {stream.longest_gap_s:.2f} s without a message")
            elif stream.gaps:
                longest_ms = stream.longest_gap_s * 1e3
                yield Finding(WARNING, "gap", f"{stream.topic}: {stream.gaps} gaps, the longest {longest_ms:.0f} ms")
        if stream.declared_hz and stream.count > 10:
            off = stream.rate_hz / stream.declared_hz - 1
            if abs(off) > limits.rate_warning:
                level = ERROR if abs(off) > limits.rate_error and is_state(stream.topic) else WARNING
                yield Finding(
                    level,
                    "rate",
                    f"{stream.topic}: {rate_words(round(stream.rate_hz, 1))}, declared {stream.declared_hz:g} Hz",
                )


def skew_of(bag: BagStreams, name: str, limits: Limits) -> Skew:
    """How old a joint stream is at the camera frames.

    Args:
        bag: The streams.
        name: Topic of the joints.
        limits: From when on something is bad.
    """
    frames, stamps = bag.streams[CAMERA].stamps_s, np.sort(bag.streams[name].stamps_s)
    row = np.searchsorted(stamps, frames, side="right") - 1
    ages = np.where(row >= 0, frames - stamps[np.maximum(row, 0)], np.inf)
    known = ages[np.isfinite(ages)]
    if not len(known):
        return Skew(0.0, 0.0, 0.0, 1.0)
    p50, p95 = (float(np.quantile(known, q)) for q in (0.5, 0.95))
    return Skew(p50, p95, float(known.max()), float(np.mean(ages > limits.skew_s)))


def skews(found: dict[str, Skew], limits: Limits) -> Iterator[Finding]:
    """Joint streams that leave too many frames without a fresh sample."""
    for name, skew in found.items():
        if skew.masked > limits.masked_warning:
            level = ERROR if skew.masked > limits.masked_error else WARNING
            yield Finding(
                level, "mask", f"{name}: {skew.masked:.0%} of the frames have no sample of the last "
                f"{limits.skew_s * 1e3:.0f} ms (p95 {skew.p95_s * 1e3:.0f} ms, max {skew.max_s * 1e3:.0f} ms)",
            )  # fmt: skip
