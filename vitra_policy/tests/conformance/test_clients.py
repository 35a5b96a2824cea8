"""The suite for clients: ours passes, a naive one fails in each case, and each case notices its own fault."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import numpy as np
import pytest

from vitra_policy.chunks.curve import Array, TimedSteps
from vitra_policy.conformance.client_cases import CLIENT_CASES
from vitra_policy.conformance.clients import TimelineClient
from vitra_policy.conformance.controls import EstimateClient, NaiveClient
from vitra_policy.conformance.rehearsal import STEP_S
from vitra_policy.conformance.verdict import Case, judge
from vitra_policy.errors import VitraError

NAMES = [case.name for case in CLIENT_CASES]


def failed(make: Any) -> dict[str, str]:
    return {one.name: "; ".join(one.complaints) for one in judge(CLIENT_CASES, make) if not one.passed}


def test_our_timeline_passes_every_case() -> None:
    assert failed(TimelineClient) == {}


def test_the_naive_client_fails_every_case() -> None:
    assert list(failed(NaiveClient)) == NAMES


def test_what_lerobot_users_met_is_found() -> None:
    """Pull request 4223: thrown into the plan at the start, estimate never recovers; 4454: prefix padded with zeros."""
    found = failed(EstimateClient)
    assert "jumps" in found["cold start"]
    assert "expects 21 steps of delay, 3 are true" in found["wrong delay estimate"]
    assert "off anything planned" in found["committed prefix"]
    assert "claims" in found["empty queue"]


class Leaping(TimelineClient):
    def _blend_for(self, offset: Array, rate: Array) -> float:
        return 0.0

    def start(self, position: Array, now_s: float) -> None:
        super().start(position, now_s)
        self._timeline._blend_s = 0.006


class Sleeping(TimelineClient):
    """Goes by the time of arrival, not of observation."""

    def receive(self, chunk: TimedSteps, now_s: float) -> None:
        super().receive(dataclasses.replace(chunk, stamp_s=now_s), now_s)


class Backward(TimelineClient):
    """Follows whatever comes last, however old."""

    def receive(self, chunk: TimedSteps, now_s: float) -> None:
        if self._timeline._execution is not None:
            self._timeline._execution.observed_s = -np.inf
        super().receive(chunk, now_s)


class Trusting(TimelineClient):
    """Once a stamp has leapt ahead, everything after it is old."""

    def start(self, position: Array, now_s: float) -> None:
        super().start(position, now_s)
        self._newest_s = -np.inf

    def receive(self, chunk: TimedSteps, now_s: float) -> None:
        if chunk.stamp_s > self._newest_s:
            self._newest_s = chunk.stamp_s
            super().receive(chunk, now_s)


class Falling(TimelineClient):
    def target(self, now_s: float) -> Array:
        value = super().target(now_s)
        return np.zeros_like(value) if self._timeline.rests_from(now_s) and now_s > 101.0 else value


class Impatient(TimelineClient):
    """Remembers the slowest answer for ever."""

    def request(self, now_s: float) -> Array:
        self._worst = max(getattr(self, "_worst", 0), self._delay.steps)
        rows = [self._timeline.value(now_s + (k + 1) * STEP_S) for k in range(self._worst)]
        return np.array(rows).reshape(-1, 2)

    def target(self, now_s: float) -> Array:
        value = super().target(now_s)
        self._worst = max(getattr(self, "_worst", 0), self._delay._seen[-1][1] if self._delay._seen else 0)
        return value


class Shifted(TimelineClient):
    """The prefix begins where the last answer took effect, not where the observation was made."""

    def request(self, now_s: float) -> Array:
        return super().request(now_s + 3 * STEP_S) if self._delay.steps else super().request(now_s)


@pytest.mark.parametrize(
    ("broken", "case"),
    [
        (Leaping, "splice jump"),
        (Leaping, "cold start"),
        (Sleeping, "dropped chunk"),
        (Backward, "reordered chunks"),
        (Trusting, "clock step"),
        (Falling, "empty queue"),
        (Impatient, "wrong delay estimate"),
        (Shifted, "committed prefix"),
    ],
)
def test_one_fault_is_found_by_its_case(broken: Any, case: str) -> None:
    assert case in failed(broken)


def test_a_client_that_raises_has_failed_and_a_refusal_is_no_failure() -> None:
    class Refusing(TimelineClient):
        def receive(self, chunk: TimedSteps, now_s: float) -> None:
            raise VitraError("no")

    class Raising(TimelineClient):
        def receive(self, chunk: TimedSteps, now_s: float) -> None:
            raise KeyError("no")

    assert "raised" not in " ".join(failed(Refusing).values())
    assert list(failed(Raising)) == NAMES


def test_a_case_that_does_not_apply_passes_and_says_so() -> None:
    (verdict,) = judge((Case("x", "y", lambda _: None),), 1)
    assert verdict.passed
    assert not verdict.applies


def test_a_subject_that_never_ends_fails_its_case_and_the_rest() -> None:
    ends = threading.Event()

    def hang(_: int) -> list[str]:
        ends.wait()
        return []

    cases = (Case("a", "", lambda _: []), Case("b", "", hang), Case("c", "", lambda _: []))
    try:
        verdicts = judge(cases, 1, limit_s=0.1)
    finally:
        ends.set()
    assert [verdict.passed for verdict in verdicts] == [True, False, False]
    assert "did not end within 0.1 s" in verdicts[1].complaints[0]
    assert "'b' did not end" in verdicts[2].complaints[0]


def test_a_client_that_leaves_the_program_has_failed() -> None:
    class Leaving(TimelineClient):
        def target(self, now_s: float) -> Array:
            raise SystemExit(0)

    assert list(failed(Leaving)) == NAMES


@pytest.mark.parametrize("rows", [None, np.full((3, 2), np.nan), np.zeros((3, 7)), np.zeros(6)])
def test_steps_of_another_shape_or_not_finite_fail_every_case(rows: Any) -> None:
    class Claiming(TimelineClient):
        def request(self, now_s: float) -> Array:
            return rows

    found = failed(Claiming)
    assert list(found) == NAMES
    assert all("request() must give finite steps (d, 2)" in why for why in found.values())


def test_a_setpoint_of_another_width_is_named() -> None:
    class Wide(TimelineClient):
        def target(self, now_s: float) -> Array:
            return np.zeros(5)

    assert all("target() must give a setpoint (2,)" in why for why in failed(Wide).values())
