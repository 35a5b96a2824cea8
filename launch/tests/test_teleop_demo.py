"""The shift of the simulated operator, without a graph."""

from __future__ import annotations

from typing import Any, cast

from vitra_bringup.graph_client import GraphClient
from vitra_bringup.teleop_demo import Args, Demonstrations


class Client:
    """Stands for the client of a graph; remembers which services it called, and how long it would wait."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, float]] = []

    def watch(self, *_: Any) -> None: ...

    def trigger(self, name: str, timeout_s: float = 10.0) -> str:
        self.calls.append((name, timeout_s))
        return ""


def test_the_operator_is_waited_for_before_anything_is_recorded() -> None:
    client = Client()
    Demonstrations(cast(GraphClient, client), Args(episodes=0, discard=False)).record()
    [(name, timeout_s)] = client.calls
    assert name.startswith("operator_double/")
    assert timeout_s >= 60
