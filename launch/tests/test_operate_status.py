"""`vitra-operate status` says what it knows: a recorder that was not heard is not one that does not record."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from vitra_bringup import operate
from vitra_bringup.graph_link import GraphError
from vitra_bringup.operate import Status, _status
from vitra_msgs.msg import EpisodeState, ExecutorState, SafetyState

RECORDING = EpisodeState(state=EpisodeState.RECORDING)
NEVER = float("inf")


class FakeClient(SimpleNamespace):
    """A graph that is found bit by bit.

    Attributes:
        now_s: Its clock, which only waiting moves.
        listed_s: When its topics are found, one at a time.
        speaks_s: When the publisher of the recorder's state is found; its words come half a second later.
        says: Its words, or None: it stays silent.
    """

    safety = SafetyState(state=SafetyState.DISARMED)
    executor_state = ExecutorState()
    sim = episode = None
    now_s, listed_s, speaks_s, says = 0.0, (0.0,), 0.0, RECORDING

    @property
    def node(self) -> Any:
        topics = [("topic", [])] * sum(found_s <= self.now_s for found_s in self.listed_s)
        is_there = self.speaks_s <= self.now_s
        return SimpleNamespace(
            get_topic_names_and_types=lambda: topics,
            count_publishers=lambda topic: int(topic == "episode_state" and is_there),
        )

    def wait_for(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        end_s = self.now_s + timeout_s
        while not condition():
            if self.now_s >= end_s:
                raise GraphError(f"Waited {timeout_s:g} s for {what}.")
            self.now_s += 0.5
            if self.speaks_s + 0.5 <= self.now_s:
                self.episode = self.says


def recording(monkeypatch: pytest.MonkeyPatch, **graph: Any) -> tuple[bool | None, float]:
    """What the report says of the recorder, and after how long."""
    client = FakeClient(**graph)
    monkeypatch.setattr(operate, "time", SimpleNamespace(monotonic=lambda: client.now_s))
    return _status(client, Status())["recording"], client.now_s


@pytest.mark.parametrize(("says", "reported"), [(RECORDING, True), (EpisodeState(), False)])
def test_it_waits_for_what_the_recorder_says(
    monkeypatch: pytest.MonkeyPatch, says: EpisodeState, reported: bool
) -> None:
    assert recording(monkeypatch, says=says) == (reported, 0.5)


def test_a_recorder_that_says_nothing_is_unknown_after_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert recording(monkeypatch, says=None) == (None, 10.0)


def test_a_recorder_that_is_found_three_seconds_after_the_rest_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second was given before, and the answer "unknown"."""
    assert recording(monkeypatch, speaks_s=3.0) == (True, 3.5)


def test_as_long_as_topics_are_found_nobody_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert recording(monkeypatch, listed_s=(0.0, 3.0, 6.0), speaks_s=8.0) == (True, 8.5)


def test_a_graph_without_a_recorder_is_told_soon_after_its_last_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    assert recording(monkeypatch, listed_s=(0.0, 1.0), speaks_s=NEVER) == (None, 5.5)
