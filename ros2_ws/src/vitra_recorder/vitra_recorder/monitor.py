"""Watches the streams while they are recorded: rate, gaps, skew, clock and drops, in words an operator can act on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from vitra_recorder.topics import CAMERA, Topic

NS = 1e-9
_MEASURED = ("arm/joint_states", "hand/joint_states")
"""`joint_states` alone is for people's tools, slower and of all joints together."""


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """When a stream is called bad."""

    window_s: float = 2.0
    """Rates and gaps are over this long."""
    least_rate: float = 0.9
    """Share of the declared rate."""
    gap_periods: float = 4.0
    """A gap is longer than so many periods ..."""
    gap_s: float = 0.06
    """... and than this."""
    max_delay_s: float = 0.2
    """Arrival after capture."""
    max_skew_s: float = 0.05
    """Distance of a camera frame to the newest sample of a stream before it."""
    clock_step_s: float = 0.25
    """A stamp that jumps so much against the clock of arrival is a changed clock."""


@dataclass(frozen=True, slots=True)
class StreamReport:
    """How one stream is doing."""

    rate_hz: float
    gap_s: float
    delay_s: float
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Stream:
    topic: Topic
    arrivals_ns: deque[int] = field(default_factory=deque)
    last_stamp_ns: int = 0
    delay_ns: int = 0
    backward: int = 0
    clock_steps: int = 0
    worst_skew_ns: int = 0
    dropped: int = 0


class StreamMonitor:
    """Takes note of every message; `report` says what is wrong. Not thread-safe: one thread notes and reports.

    Args:
        settings: limits.
    """

    def __init__(self, settings: MonitorSettings | None = None) -> None:
        self._settings = settings or MonitorSettings()
        self._streams: dict[str, _Stream] = {}

    def note(self, topic: Topic, arrival_ns: int, stamp_ns: int | None) -> None:
        """A message has come.

        Args:
            topic: which.
            arrival_ns: when it was received.
            stamp_ns: when its content was captured; None if it does not say.
        """
        stream = self._streams.get(topic.name)
        if stream is None:
            stream = self._streams[topic.name] = _Stream(topic)
        arrivals = stream.arrivals_ns
        arrivals.append(arrival_ns)
        oldest_ns = arrival_ns - self._settings.window_s / NS
        while arrivals[0] < oldest_ns:
            arrivals.popleft()
        if stamp_ns is None:
            return
        if stream.last_stamp_ns and topic.rate_hz:
            passed_ns, step_ns = stamp_ns - stream.last_stamp_ns, self._settings.clock_step_s / NS
            # A late message had a long way; one from the future, or far from the past, has another clock.
            leap_ns = stream.delay_ns - (arrival_ns - stamp_ns) if arrival_ns < stamp_ns else 0
            stream.clock_steps += passed_ns < -step_ns or leap_ns > step_ns
            stream.backward += passed_ns <= 0
        stream.last_stamp_ns, stream.delay_ns = stamp_ns, arrival_ns - stamp_ns
        if topic.name == CAMERA:
            self._note_skew(stamp_ns)

    def forget_events(self) -> None:
        """Start counting steps, skews and drops anew: an episode begins."""
        for stream in self._streams.values():
            stream.backward = stream.clock_steps = stream.worst_skew_ns = stream.dropped = 0

    def set_dropped(self, name: str, count: int) -> None:
        """How many messages of a stream the recorder itself had to drop."""
        if name in self._streams:
            self._streams[name].dropped = count

    def is_alive(self, name: str, now_ns: int, within_s: float = 1.0) -> bool:
        """Whether a stream was heard lately.

        Args:
            name: Resolved name of the topic.
            now_ns: ROS time.
            within_s: How lately.
        """
        stream = self._streams.get(name)
        return bool(stream and stream.arrivals_ns and now_ns - stream.arrivals_ns[-1] <= within_s / NS)

    def report(self, now_ns: int) -> dict[str, StreamReport]:
        """Every stream that was ever heard, by topic."""
        return {name: self._judge(stream, now_ns) for name, stream in self._streams.items()}

    def warnings(self, now_ns: int) -> list[str]:
        """Everything that is wrong now."""
        return [f"{name}: {warning}" for name, report in self.report(now_ns).items() for warning in report.warnings]

    def _note_skew(self, camera_ns: int) -> None:
        for stream in self._streams.values():
            if stream.topic.name.endswith(_MEASURED) and stream.last_stamp_ns:
                stream.worst_skew_ns = max(stream.worst_skew_ns, camera_ns - stream.last_stamp_ns)

    def _judge(self, stream: _Stream, now_ns: int) -> StreamReport:
        s, declared_hz = self._settings, stream.topic.rate_hz
        arrivals = [t for t in stream.arrivals_ns if t >= now_ns - s.window_s / NS]
        span_s = (arrivals[-1] - arrivals[0]) * NS if len(arrivals) > 1 else 0.0
        rate_hz = (len(arrivals) - 1) / span_s if span_s > 0 else 0.0
        gaps = [b - a for a, b in zip(arrivals, arrivals[1:], strict=False)]
        gap_s = max(gaps, default=0) * NS
        silent_s = (now_ns - stream.arrivals_ns[-1]) * NS if stream.arrivals_ns else s.window_s
        warnings = []
        if declared_hz:
            limit_s = max(s.gap_periods / declared_hz, s.gap_s)
            if silent_s > max(limit_s, 0.5):
                warnings.append(f"silent for {silent_s:.1f} s")
            elif gap_s > limit_s:
                warnings.append(f"a gap of {gap_s * 1e3:.0f} ms")
            elif span_s > 0.5 * s.window_s and rate_hz < s.least_rate * declared_hz:
                warnings.append(f"{rate_hz:.0f} Hz instead of {declared_hz:g} Hz")
        if stream.last_stamp_ns and stream.delay_ns * NS > s.max_delay_s:
            warnings.append(f"arrives {stream.delay_ns * NS:.2f} s after its capture")
        if stream.last_stamp_ns and stream.delay_ns * NS < -s.max_skew_s:
            warnings.append(f"is stamped {-stream.delay_ns * NS:.2f} s in the future: check the clocks (chrony, PTP)")
        if stream.worst_skew_ns * NS > s.max_skew_s:
            warnings.append(f"up to {stream.worst_skew_ns * NS * 1e3:.0f} ms behind the camera")
        if stream.clock_steps:
            warnings.append(f"its clock jumped {stream.clock_steps} times")
        if stream.backward:
            warnings.append(f"{stream.backward} stamps do not increase")
        if stream.dropped:
            warnings.append(f"{stream.dropped} messages dropped here")
        return StreamReport(rate_hz, gap_s, stream.delay_ns * NS, tuple(warnings))
