"""What a driver says about its stream."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_description.postures import home
from vitra_safety.guard import ARM_GUARD
from vitra_safety.motion_gate import StopCause
from vitra_safety.setpoint_stream import SetpointStream
from vitra_safety.stream_reports import DriverStatus, StreamReports

START = home("right")


@pytest.fixture
def stream() -> SetpointStream:
    return SetpointStream(ARM_GUARD)


def permitted(stream: SetpointStream, now_s: float) -> None:
    stream.on_feedback(START, now_s)
    stream.on_permit(3, True, now_s)


def command(stream: SetpointStream, position: np.ndarray, sequence: int, now_s: float, epoch: int = 3) -> None:
    stream.on_command(position, sequence=sequence, epoch=epoch, age_s=0.001, now_s=now_s)


def test_a_driver_that_has_heard_nothing_says_so(stream: SetpointStream) -> None:
    reports = StreamReports(stream)
    assert reports.status_of(connected=False, fault="cable") is DriverStatus.DISCONNECTED
    assert reports.status_of(connected=True, fault="cable") is DriverStatus.FAULT
    assert reports.status_of(connected=True, fault="") is DriverStatus.HOLDING
    assert (reports.stop_cause, reports.last_refusal, reports.held_rad) == ("", "", [])
    assert (reports.accepted, reports.refused, reports.limit_violations) == (0, 0, 0)
    assert reports.feedback_age_s(5.0) == float("inf")


def test_a_moving_driver_counts_what_it_took_and_what_it_refused(stream: SetpointStream) -> None:
    reports = StreamReports(stream)
    permitted(stream, 10.0)
    command(stream, START, 1, 10.0)
    stream.tick(10.0)
    assert reports.status_of(connected=True, fault="") is DriverStatus.MOVING
    assert reports.epoch == 3
    assert reports.accepted == 1
    assert reports.held_rad == START.tolist()
    assert reports.feedback_age_s(10.02) == pytest.approx(0.02)
    command(stream, START + 1.0, 2, 10.005)
    command(stream, START, 2, 10.005, epoch=2)
    assert reports.refused == 2
    assert sum(reports.refused_by_kind.values()) == 2
    assert len([kind for kind, count in reports.refused_by_kind.items() if count]) == 2
    assert reports.limit_violations == 1
    assert reports.last_refusal


def test_a_latched_driver_names_the_cause(stream: SetpointStream) -> None:
    reports = StreamReports(stream)
    permitted(stream, 10.0)
    stream.on_fault("overheated")
    stream.tick(10.0)
    assert reports.status_of(connected=True, fault="") is DriverStatus.LATCHED
    assert reports.stop_cause == f"{StopCause.FAULT}: overheated"
