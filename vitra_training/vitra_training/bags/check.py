"""Judges one recorded episode: rates, gaps, skew, idle ends, joint jumps, clocks, frozen images, masks, words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vitra_training.bags.own_account import SAVED, outcome_of, own_account
from vitra_training.bags.streams import (
    CAMERA,
    MEASURED,
    BagStreams,
    StreamTimes,
    joint_track,
    largest_turn,
    moving,
    read_streams,
    usual_period_s,
)
from vitra_training.datasets.episode import Array
from vitra_training.datasets.errors import BrokenFileError
from vitra_training.datasets.promises import Finding, Level

ERROR, WARNING = Level.ERROR, Level.WARNING


_WINDOW_S = 0.25
_LATE_WINDOWS = 2
"""A stream that is late in so many windows is not only one late message."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on something is called bad."""

    rate_warning: float = 0.03
    """Share by which a rate may miss the declared one."""
    rate_error: float = 0.10
    """The same, where the episode is refused."""
    gap_periods: float = 4.0
    """A gap is longer than so many periods of its stream, and than 60 ms."""
    gap_error_s: float = 0.5
    """So long a gap in a camera or joint stream refuses the episode."""
    skew_s: float = 0.05
    """Age of the newest joint sample at a frame; older ones mask the frame."""
    masked_warning: float = 0.02
    """Share of frames that may be masked."""
    masked_error: float = 0.2
    """The same, where the episode is refused."""
    idle_s: float = 1.5
    """Stillness at the beginning or end that teaches idling."""
    arm_rad_s: float = 4.0
    """Faster than any arm joint can turn."""
    hand_rad_s: float = 20.0
    """Faster than any hand joint can turn."""
    jump_rad: float = 0.05
    """A jump is also larger than this."""
    clock_s: float = 0.3
    """A stamp that steps so much against the time of arrival."""
    delay_s: float = 0.2
    """Arrival after capture."""
    frozen_s: float = 0.4
    """The same image for so long while the robot moves."""


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


@dataclass(frozen=True, slots=True)
class BagReport:
    """What the check found."""

    path: str
    duration_s: float
    instruction: str
    streams: tuple[StreamReport, ...]
    skew: dict[str, Skew]
    idle_head_s: float
    idle_tail_s: float
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """No error; warnings are allowed."""
        return not any(finding.level is ERROR for finding in self.findings)


def check_bag(path: Path, limits: Limits | None = None) -> tuple[BagReport, BagStreams | None]:
    """Judge one bag; a bag that cannot be read is a finding, not an exception. The streams are for its image.

    Raises:
        DiskError: there is no room for its numbers in the folder of temporary files.
    """
    limits = limits or Limits()
    if path.name.endswith(".partial"):
        return _unreadable(path, "cut off", f"the recording was cut off: run `vitra-bag repair {path}`"), None
    try:
        bag = read_streams(path)
    except BrokenFileError as error:
        return _unreadable(path, type(error).__name__, str(error)), None
    streams = tuple(_measure(stream, bag.declared_hz.get(name), limits) for name, stream in sorted(bag.streams.items()))
    skew = {name: _skew(bag, name, limits) for name in bag.joints if CAMERA in bag.streams}
    head_s, tail_s = _idle(bag)
    checks = (
        *_words(bag), *_missing(bag), *_rates(bag, streams, limits), *_clocks(bag, limits), *_skews(skew, limits),
        *_jumps(bag, limits), *_ends(head_s, tail_s, limits), *_frozen(bag, limits), *_history(bag),
    )  # fmt: skip
    report = BagReport(
        str(path), bag.end_s - bag.begin_s, bag.instruction, streams, skew, head_s, tail_s, tuple(checks)
    )
    return report, bag


def _unreadable(path: Path, check: str, message: str) -> BagReport:
    return BagReport(str(path), 0.0, "", (), {}, 0.0, 0.0, (Finding(ERROR, check, message),))


def _is_state(topic: str) -> bool:
    """Streams that flow as long as the robot is on, whatever it does."""
    return topic == CAMERA or topic.endswith((*MEASURED, "camera_info"))


def _measure(stream: StreamTimes, declared_hz: float | None, limits: Limits) -> StreamReport:
    times = stream.stamps_s if len(stream.stamps_ns) == len(stream.arrivals_ns) else stream.arrivals_s
    periods = np.diff(times)
    typical_s = usual_period_s(times)
    # Commands pause when nothing is to be commanded, so their rate is that of their usual period.
    rate_hz = (len(periods) / max(float(times[-1] - times[0]), 1e-9)) if len(periods) else 0.0
    if not _is_state(stream.topic) and typical_s > 0:
        rate_hz = 1.0 / typical_s
    limit_s = max(limits.gap_periods / declared_hz if declared_hz else limits.gap_periods * typical_s, 0.06)
    delays = stream.arrivals_s - stream.stamps_s if len(stream.stamps_ns) else np.zeros(1)
    return StreamReport(
        stream.topic, len(times), rate_hz, declared_hz, float(periods.max(initial=0.0)),
        int(np.sum(periods > limit_s)) if _is_state(stream.topic) else 0,
        float(np.median(delays)), float(delays.max(initial=0.0)),
    )  # fmt: skip


def _words(bag: BagStreams) -> Iterator[Finding]:
    if not bag.instruction.strip():
        yield Finding(ERROR, "instruction", "no instruction: the episode cannot be learnt from")
    if not bag.about:
        yield Finding(WARNING, "about", "nothing is said about operator, software and calibration")


def _missing(bag: BagStreams) -> Iterator[Finding]:
    for topic in bag.required:
        if topic not in bag.streams:
            yield Finding(ERROR, "missing topic", f"nothing on {topic}")
    if not bag.joints:
        yield Finding(ERROR, "missing topic", "no joint_states of any arm or hand")
    if "tf_static" not in bag.streams:
        yield Finding(ERROR, "missing topic", "no /tf_static: the calibration is not in the bag")


def _rates(bag: BagStreams, streams: tuple[StreamReport, ...], limits: Limits) -> Iterator[Finding]:
    for stream in streams:
        if _is_state(stream.topic):
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
                level = ERROR if abs(off) > limits.rate_error and _is_state(stream.topic) else WARNING
                yield Finding(
                    level, "rate", f"{stream.topic}: {stream.rate_hz:.1f} Hz, declared {stream.declared_hz:g} Hz"
                )


def _clocks(bag: BagStreams, limits: Limits) -> Iterator[Finding]:
    for name, stream in bag.streams.items():
        if not _is_state(name) or len(stream.stamps_ns) < 2:
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
        elif abs(float(np.median(delays))) > limits.delay_s:
            yield Finding(WARNING, "clock", f"{name}: stamped {np.median(delays):.2f} s before its arrival")


def _late(bag: BagStreams, name: str, limits: Limits) -> tuple[float, float] | None:
    """When, and by how much, a stream began to arrive late for a while although others did not (s); None if never."""
    stream = bag.streams[name]
    grid = np.arange(bag.begin_s, bag.end_s, _WINDOW_S)
    least = _least_delays(stream, grid)
    others = [
        _least_delays(other, grid)
        for topic, other in bag.streams.items()
        if topic.split("/")[0] != name.split("/")[0] and _is_state(topic) and len(other.stamps_ns) > 1
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


def _skew(bag: BagStreams, name: str, limits: Limits) -> Skew:
    frames, stamps = bag.streams[CAMERA].stamps_s, np.sort(bag.streams[name].stamps_s)
    row = np.searchsorted(stamps, frames, side="right") - 1
    ages = np.where(row >= 0, frames - stamps[np.maximum(row, 0)], np.inf)
    known = ages[np.isfinite(ages)]
    if not len(known):
        return Skew(0.0, 0.0, 0.0, 1.0)
    p50, p95 = (float(np.quantile(known, q)) for q in (0.5, 0.95))
    return Skew(p50, p95, float(known.max()), float(np.mean(ages > limits.skew_s)))


def _skews(skews: dict[str, Skew], limits: Limits) -> Iterator[Finding]:
    for name, skew in skews.items():
        if skew.masked > limits.masked_warning:
            level = ERROR if skew.masked > limits.masked_error else WARNING
            yield Finding(
                level, "mask", f"{name}: {skew.masked:.0%} of the frames have no sample of the last "
                f"{limits.skew_s * 1e3:.0f} ms (p95 {skew.p95_s * 1e3:.0f} ms, max {skew.max_s * 1e3:.0f} ms)",
            )  # fmt: skip


def _jumps(bag: BagStreams, limits: Limits) -> Iterator[Finding]:
    for name in bag.joints:
        stamps, positions = joint_track(bag, name)
        if len(stamps) < 2:
            continue
        if not np.isfinite(positions).all():
            yield Finding(ERROR, "joints", f"{name}: not finite")
            continue
        most = limits.arm_rad_s if "arm" in name else limits.hand_rad_s
        steps = largest_turn(positions, np.arange(len(positions) - 1))
        allowed = limits.jump_rad + most * np.maximum(np.diff(stamps), 0.0)
        if (bad := np.flatnonzero(steps > allowed)).size:
            at_s = stamps[bad[0]] - bag.begin_s
            yield Finding(
                ERROR, "joint jump", f"{name}: {len(bad)} jumps, the first of {steps[bad[0]]:.2f} rad at {at_s:.2f} s"
            )


def _idle(bag: BagStreams) -> tuple[float, float]:
    times = np.concatenate([np.zeros(0), *moving(bag)])
    if not len(times):
        whole_s = bag.end_s - bag.begin_s
        return whole_s, whole_s
    return max(float(times.min()) - bag.begin_s, 0.0), max(bag.end_s - float(times.max()), 0.0)


def _ends(head_s: float, tail_s: float, limits: Limits) -> Iterator[Finding]:
    for name, idle_s in (("head", head_s), ("tail", tail_s)):
        if idle_s > limits.idle_s:
            yield Finding(WARNING, f"idle {name}", f"nothing moves for {idle_s:.1f} s: `vitra-bag trim --idle` cuts it")


def _frozen(bag: BagStreams, limits: Limits) -> Iterator[Finding]:
    stream = bag.streams.get(CAMERA)
    if bag.lost_images:
        level = ERROR if bag.lost_images > limits.masked_warning * len(bag.image_hashes) else WARNING
        why = "one before them is missing" if bag.is_video else "they are damaged"
        yield Finding(level, "images", f"{bag.lost_images} images cannot be decoded: {why}")
    if stream is None or len(bag.image_hashes) < 2:
        return
    arm = [times for times in moving(bag, arm_rad=0.02) if len(times)]
    moves = np.sort(np.concatenate(arm)) if arm else np.zeros(0)
    same = np.diff(bag.image_hashes.read()) == 0
    stamps = stream.stamps_s
    begin = 0
    for end in range(1, len(stamps) + 1):
        if end < len(stamps) and same[end - 1]:
            continue
        if _moves_between(moves, stamps[begin], stamps[end - 1]) > limits.frozen_s:
            at_s, long_s = stamps[begin] - bag.begin_s, stamps[end - 1] - stamps[begin]
            yield Finding(
                ERROR, "frozen image", f"the same image for {long_s:.1f} s at {at_s:.1f} s while the robot moves"
            )
        begin = end


def _moves_between(moves: Array, begin_s: float, end_s: float) -> float:
    """How long the robot certainly moved within a span."""
    inside = moves[(moves >= begin_s) & (moves <= end_s)]
    return float(inside[-1] - inside[0]) if len(inside) > 1 else 0.0


def _history(bag: BagStreams) -> Iterator[Finding]:
    for cause in bag.stops:
        yield Finding(WARNING, "stop", f"the robot was stopped while recording: {cause}")
    if warnings := bag.about.get("warnings"):
        yield Finding(WARNING, "recorder", f"said while recording: {warnings}")
    for contradiction in own_account(bag.path).contradictions:
        yield Finding(ERROR, "metadata", f"{contradiction}; nobody can say which is true")
    if (outcome := outcome_of(bag.path)) != SAVED:
        yield Finding(WARNING, "outcome", f"{outcome}: `vitra-bag convert` leaves it out")
    if reason := bag.about.get("discard_reason"):
        yield Finding(WARNING, "discarded", reason)
    if repaired := bag.about.get("repaired"):
        yield Finding(WARNING, "repaired", repaired[:200])


def as_json(report: BagReport) -> dict[str, Any]:
    """For a report file."""
    import dataclasses

    return dataclasses.asdict(report) | {"ok": report.ok}
