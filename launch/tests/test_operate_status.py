"""`vitra-operate status` says what it knows: a recorder that was not heard is not one that does not record."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from vitra_bringup.graph_link import GraphError
from vitra_bringup.operate import Status, _status
from vitra_msgs.msg import EpisodeState, SafetyState


class FakeClient(SimpleNamespace):
    """A graph whose recorder is heard only when somebody waits for it."""

    safety = SafetyState(state=SafetyState.DISARMED)
    sim = executor_state = episode = None
    publishers, says = 1, EpisodeState(state=EpisodeState.RECORDING)

    @property
    def node(self) -> Any:
        return SimpleNamespace(count_publishers=lambda topic: self.publishers if topic == "episode_state" else 0)

    def wait_for(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        assert not condition()
        self.episode = self.says
        if not condition():
            raise GraphError(f"Waited {timeout_s:g} s for {what}.")


@pytest.mark.parametrize(
    ("publishers", "says", "recording"),
    [
        (1, EpisodeState(state=EpisodeState.RECORDING), True),
        (1, EpisodeState(), False),
        (1, None, None),
        (0, None, None),
    ],
)
def test_it_waits_for_the_recorder_and_calls_what_it_did_not_hear_unknown(
    publishers: int, says: EpisodeState | None, recording: bool | None
) -> None:
    client = FakeClient(publishers=publishers, says=says)
    assert _status(client, Status())["recording"] is recording
