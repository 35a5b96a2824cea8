"""How a recording does, in words and figures for people."""

from __future__ import annotations

from dataclasses import dataclass

from vitra_recorder.session import RecordingSession


@dataclass(frozen=True, slots=True)
class RecordingCondition:
    """One line, whether it is a warning, and the figures behind it."""

    said: str
    is_warning: bool
    values: dict[str, str]


def condition(session: RecordingSession, warnings: list[str], now_ns: int) -> RecordingCondition:
    """How the recording under way does, and every stream.

    Args:
        session: what is recorded.
        warnings: what is wrong with the streams now.
        now_ns: ROS time.
    """
    values: dict[str, str] = {}
    said, is_warning = "idle", False
    recording = session.current
    if recording is not None:
        is_warning = bool(warnings or recording.dropped)
        said = "; ".join(warnings[:3]) or f"recording, {recording.dropped} dropped"
        statistics = recording.pipeline.statistics
        values["MB"] = f"{statistics.bytes_written / 1e6:.1f}"
        values["deepest queue MB"] = f"{statistics.deepest_queue_bytes / 1e6:.1f}"
    for name, report in session.monitor.report(now_ns).items():
        gap_ms, delay_ms = report.gap_s * 1e3, report.delay_s * 1e3
        words = [f"{report.rate_hz:.1f} Hz", f"gap {gap_ms:.0f} ms", f"delay {delay_ms:.0f} ms"]
        values[name] = ", ".join([*words, *report.warnings])
    return RecordingCondition(said, is_warning, values)
