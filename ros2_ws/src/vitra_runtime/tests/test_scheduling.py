from __future__ import annotations

import os
from typing import Any

import pytest

from vitra_runtime.scheduling import (
    HEARTBEAT_PRIORITY_VARIABLE,
    PRIORITY_VARIABLE,
    leave_realtime,
    raise_to_heartbeat,
    request_realtime,
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    calls: list[tuple[int, int]] = []

    def record(pid: int, policy: int, parameter: Any) -> None:
        calls.append((policy, parameter.sched_priority))

    monkeypatch.setattr(os, "sched_setscheduler", record)
    return calls


def test_the_priority_of_the_environment_is_asked_for(asked: list[tuple[int, int]]) -> None:
    assert request_realtime({PRIORITY_VARIABLE: "30"}) == ""
    assert asked == [(os.SCHED_RR, 30)]


@pytest.mark.parametrize("environment", [{}, {PRIORITY_VARIABLE: ""}, {PRIORITY_VARIABLE: "0"}])
def test_nothing_is_asked_for_unless_wanted(asked: list[tuple[int, int]], environment: dict[str, str]) -> None:
    assert request_realtime(environment) == ""
    assert asked == []


@pytest.mark.parametrize("text", ["high", "-1", "100"])
def test_a_priority_that_does_not_exist_is_named(asked: list[tuple[int, int]], text: str) -> None:
    assert "allowed is 0 (off) to 99" in request_realtime({PRIORITY_VARIABLE: text})
    assert asked == []


def test_a_refusal_says_what_to_do_and_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    assert "rtprio" in request_realtime({PRIORITY_VARIABLE: "30"})


def test_a_thread_for_bulk_work_leaves_real_time_scheduling(
    monkeypatch: pytest.MonkeyPatch, asked: list[tuple[int, int]]
) -> None:
    monkeypatch.setattr(os, "sched_getscheduler", lambda pid: os.SCHED_RR)
    leave_realtime()
    monkeypatch.setattr(os, "sched_getscheduler", lambda pid: os.SCHED_OTHER)
    leave_realtime()
    assert asked == [(os.SCHED_OTHER, 0)]


@pytest.mark.parametrize(
    ("policy", "priority", "expected"),
    [(os.SCHED_OTHER, 0, [(os.SCHED_RR, 36)]), (os.SCHED_RR, 5, [(os.SCHED_RR, 36)]), (os.SCHED_RR, 40, [])],
)
def test_a_heartbeat_is_raised_and_never_lowered(
    monkeypatch: pytest.MonkeyPatch,
    asked: list[tuple[int, int]],
    policy: int,
    priority: int,
    expected: list[tuple[int, int]],
) -> None:
    monkeypatch.setattr(os, "sched_getscheduler", lambda pid: policy)
    monkeypatch.setattr(os, "sched_getparam", lambda pid: os.sched_param(priority))
    raise_to_heartbeat({HEARTBEAT_PRIORITY_VARIABLE: "36"})
    assert asked == expected


@pytest.mark.parametrize("environment", [{}, {HEARTBEAT_PRIORITY_VARIABLE: "0"}, {HEARTBEAT_PRIORITY_VARIABLE: "x"}])
def test_a_heartbeat_stays_ordinary_unless_more_is_wanted(
    asked: list[tuple[int, int]], environment: dict[str, str]
) -> None:
    raise_to_heartbeat(environment)
    assert asked == []
