from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from vitra_evaluation.backends.graph_port import GraphPort, is_by_a_person
from vitra_evaluation.plan.plan import Robot


class Client:
    """A graph client that hears what the test says."""

    def __init__(self) -> None:
        self.stops: list[SimpleNamespace] = []
        self.executor_state: SimpleNamespace | None = None
        self.node = SimpleNamespace(create_client=lambda *_: None)
        self.asked: list[str] = []

    def rearm(self) -> None:
        self.asked.append("rearm")

    def arm_again(self, sides: tuple[str, ...]) -> None:
        self.asked.append(f"clear faults of {sides} and rearm")

    def watch(self, *_: object) -> None:
        pass

    def executor(self, limit: str = "", starved: int = 0) -> None:
        self.executor_state = SimpleNamespace(starved=starved, limit=limit, in_limit=bool(limit))


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def port(client: Client, tmp_path: Path) -> GraphPort:
    return GraphPort(client, Robot.SIM, ("right",), tmp_path)  # type: ignore[arg-type]


def details(port: GraphPort) -> list[str]:
    return [f"{event.kind}: {event.detail}" for event in port.events()]


def test_each_kind_of_limit_is_an_event_once(client: Client, port: GraphPort) -> None:
    heard = []
    for limit in ("", "right: joints 0.11 rad behind", "", "right: joints 0.32 rad behind", "right: wrist 16 mm off"):
        client.executor(limit)
        heard += details(port)
    assert heard == ["limit: right: joints 0.11 rad behind", "limit: right: wrist 16 mm off"]


def test_stops_and_starvation_are_events_once(client: Client, port: GraphPort) -> None:
    client.executor(starved=1)
    assert details(port) == []  # counted before this session
    client.executor(starved=3)
    client.stops.append(SimpleNamespace(stop_cause="late", stop_source="executor", stop_detail="5 ms"))
    assert details(port) == ["stop: late (executor) 5 ms", "starved: 2 times out of steps"]
    assert details(port) == []


def test_a_stop_that_a_person_gave_or_whose_console_was_lost_is_not_the_policys() -> None:
    assert is_by_a_person("operator_stop", "safety_supervisor")
    assert is_by_a_person("heartbeat_lost", "operator")
    assert not is_by_a_person("heartbeat_lost", "right_arm")
    assert not is_by_a_person("limit", "executor")


def test_faults_of_a_simulated_arm_are_cleared_and_those_of_a_real_one_are_left_to_a_person(
    client: Client, port: GraphPort, tmp_path: Path
) -> None:
    port.arm()
    GraphPort(client, Robot.REAL, ("right",), tmp_path).arm()  # type: ignore[arg-type]
    assert client.asked == ["clear faults of ('right',) and rearm", "rearm"]
