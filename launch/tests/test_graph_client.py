"""What a client of the graph makes of what it hears; without a graph."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from vitra_bringup.graph_client import GraphClient
from vitra_bringup.graph_link import GraphError
from vitra_msgs.msg import SafetyState, SimState


class Told(GraphClient):
    """A client that hears what the test says, in order, and remembers what it asked for."""

    def __init__(self, *words: SimState) -> None:
        self.changed = threading.Condition()
        self.sim, self.stops, self.asked = None, [], []
        self.safety = SafetyState(state=SafetyState.ARMED)
        self._words = list(words)

    def wait_for(self, condition: Any, timeout_s: float, what: Any) -> None:
        while self._words:
            self.sim = self._words.pop(0)
            if condition():
                return

    def start_policy(self, instruction: str, time_limit_s: float, feedback: Any = None) -> Any:
        return None

    def result_of(self, handle: Any) -> Any:
        return SimpleNamespace(done=lambda: False)

    def finish_policy(self, handle: Any, timeout_s: float = 1.0) -> Any:
        self.wait_for(lambda: False, 0.0, "the words that come while it ends")
        return SimpleNamespace(termination_reason="canceled", detail="")

    def trigger(self, name: str, timeout_s: float = 1.0) -> str:
        self.asked.append(name)
        return ""

    def wait_ready(self, timeout_s: float = 1.0) -> None:
        self.asked.append("wait until ready")

    def rearm(self, timeout_s: float = 1.0) -> int:
        self.asked.append("rearm")
        return 1


def test_a_run_is_judged_by_the_word_that_ended_it_not_by_what_the_object_does_afterwards() -> None:
    assert Told(SimState(), SimState(success=True), SimState()).run_until_success("", 1.0) == (True, "success")
    assert Told(SimState(failed=True), SimState()).run_until_success("", 1.0) == (False, "object lost")
    assert Told(SimState()).run_until_success("", 1.0) == (False, "canceled")


def test_after_a_stop_faults_of_the_arms_in_use_are_cleared_before_the_rearm() -> None:
    client = Told()
    client.safety = SafetyState(state=SafetyState.STOPPED)
    client.arm_again(("right",))
    assert client.asked == ["wait until ready", "rearm"], "nothing has happened yet"
    client.asked.clear()
    client.stops.append(SafetyState())
    client.safety = SafetyState(state=SafetyState.STOPPED)
    client.arm_again(("left", "right"))
    assert client.asked == [
        "left_arm_driver/clear_errors", "right_arm_driver/clear_errors", "wait until ready", "rearm",
    ]  # fmt: skip
    client.safety, client.asked = SafetyState(state=SafetyState.ARMED), []
    client.arm_again(("right",))
    assert client.asked == []


def test_a_stop_counts_also_where_the_object_was_in_place_by_then() -> None:
    client = Told(SimState(success=True))

    def stops_on_the_way(handle: Any, timeout_s: float = 1.0) -> None:
        client.stops.append(SafetyState(stop_cause="late"))

    client.finish_policy = stops_on_the_way  # type: ignore[method-assign]
    assert client.run_until_success("", 1.0)[1].startswith("stopped: late")


def test_a_run_that_was_refused_says_why() -> None:
    client = Told(SimState())
    client.finish_policy = lambda *_: SimpleNamespace(
        termination_reason="refused", detail="an arm follows a trajectory"
    )  # type: ignore[method-assign]
    assert client.run_until_success("", 1.0) == (False, "refused: an arm follows a trajectory")
    client.safety = SafetyState(state=SafetyState.STOPPED, stop_cause="heartbeat_lost", stop_source="policy")
    assert client.run_until_success("", 1.0)[1].startswith("refused: the robot had stopped: heartbeat_lost (policy)")


class Asked(Told):
    """A client whose calls of the ready posture are answered as the test says; None: the answer is lost."""

    def __init__(self, *answers: tuple[bool, str] | None) -> None:
        super().__init__()
        self._answers = list(answers)

    def call(self, service_type: Any, name: str, request: Any, timeout_s: float = 1.0, *, repeats: bool = False) -> Any:
        self.asked.append(name)
        answer = self._answers.pop(0)
        if answer is None:
            raise GraphError(f"Waited {timeout_s:g} s for an answer of '{name}'.")
        return SimpleNamespace(success=answer[0], message=answer[1])


def test_home_is_asked_for_again_when_the_answer_was_lost_and_may_be_under_way_by_then() -> None:
    client = Asked(None, (False, "already on the way to the ready posture"))
    client._ask_for_home()
    assert client.asked == ["executor/home"] * 2


def test_home_that_stays_refused_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitra_bringup.graph_client._REFUSED_S", -1.0)
    with pytest.raises(GraphError, match="not armed"):
        Asked((False, "not armed"))._ask_for_home()
