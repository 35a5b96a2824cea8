"""Clients that send ahead, send much, or leave: what the server keeps of them, and how it stops under them."""

from __future__ import annotations

import gc
import socket
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from vitra_policy.policies.policy import ActionChunk, Observation, PolicyMetadata, make_example_observation
from vitra_policy.serving import server as serving
from vitra_policy.serving import wire
from vitra_policy.serving.server import PolicyServer

LARGE = 2 * 2**20
SMALL = wire.pack(wire.observation_message(make_example_observation(height=16, width=16)))
NOISE = {"stamp_s": 1.0, "noise": np.zeros(LARGE, np.uint8)}
CONTRADICTION = wire.observation_message(make_example_observation(height=700, width=1024)) | {"fov_rad": np.ones(2)}
REQUESTS = {
    "garbage": b"\xa1a" + bytes(LARGE),
    "lacks keys": wire.pack(NOISE),
    "contradicts itself": wire.pack(CONTRADICTION),
    "answered": wire.pack(wire.observation_message(make_example_observation(height=700, width=1024))),
    "too large": bytes(wire.MAX_MESSAGE_BYTES + 1),
}


class HeldPolicy:
    """Answers when it is let go; `begun` says that it was asked."""

    metadata = PolicyMetadata("held")

    def __init__(self) -> None:
        self.begun, self.let_go = threading.Event(), threading.Event()

    def infer(self, observation: Observation) -> ActionChunk:
        self.begun.set()
        assert self.let_go.wait(10)
        return ActionChunk(np.tile(observation.state, (16, 1)), observation.hands, 1 / 30, "held")

    def reset(self) -> None: ...

    def warm_up(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def policy() -> HeldPolicy:
    return HeldPolicy()


@pytest.fixture
def server(policy: HeldPolicy) -> Iterator[PolicyServer]:
    with PolicyServer(policy, port=0) as running:
        yield running
        policy.let_go.set()


@pytest.fixture
def traced() -> Iterator[None]:
    """Memory is counted, and nothing but its own references keeps it."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    yield
    tracemalloc.stop()
    gc.enable()


def client_of(server: PolicyServer) -> ClientConnection:
    client = connect(f"ws://127.0.0.1:{server.port}", compression=None, proxy=None, max_size=None, close_timeout=0.1)
    client.recv(timeout=5)
    return client


def leave(client: ClientConnection) -> None:
    client.socket.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("kind", REQUESTS)
def test_nothing_holds_a_request_after_its_answer_while_its_client_stays(
    kind: str, server: PolicyServer, policy: HeldPolicy, traced: None
) -> None:
    policy.let_go.set()
    with client_of(server) as client, client_of(server) as other:
        for asking in (client, other):
            asking.send(SMALL)
            asking.recv(timeout=5)
        before_bytes = tracemalloc.get_traced_memory()[0]
        client.send(REQUESTS[kind])
        client.recv(timeout=10)
        other.send(SMALL)  # when this one is answered, the worker has let go of the one before
        other.recv(timeout=5)
        assert tracemalloc.get_traced_memory()[0] - before_bytes < LARGE / 2


@pytest.mark.parametrize("kind", [*REQUESTS, "no text"])
def test_nothing_holds_requests_whose_clients_left(kind: str, policy: HeldPolicy, traced: None) -> None:
    with PolicyServer(policy, port=0) as server, client_of(server) as busy:
        busy.send(SMALL)
        assert policy.begun.wait(5)
        before_bytes = tracemalloc.get_traced_memory()[0]
        for _ in range(2):
            client = client_of(server)
            client.send(REQUESTS.get(kind, b"\xff" * LARGE), text=kind == "no text")
            leave(client)
        policy.let_go.set()
        busy.recv(timeout=10)
    assert tracemalloc.get_traced_memory()[0] - before_bytes < LARGE / 2


def test_requests_beyond_what_may_wait_are_refused_in_words_until_others_are_answered(
    server: PolicyServer, policy: HeldPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_WAITING_BYTES_MAX", int(1.5 * len(SMALL)))
    with client_of(server) as first, client_of(server) as second:
        first.send(SMALL)
        assert policy.begun.wait(5)
        second.send(SMALL)
        said = second.recv(timeout=5)
        assert isinstance(said, str)
        assert said.startswith(f"ServerBusyError: The server is busy: {len(SMALL)} bytes of requests wait")
        policy.let_go.set()
        assert isinstance(first.recv(timeout=5), bytes)
        second.send(SMALL)
        assert isinstance(second.recv(timeout=5), bytes)


def test_the_server_closes_no_connection_of_a_client_that_sends_ahead(
    policy: HeldPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_serve, real_ping = serving.serve, ServerConnection.ping
    pings: list[int] = []

    def hasty(*arguments: Any, **options: Any) -> Any:
        options["ping_interval"] = 0.02
        options["ping_timeout"] = options.get("ping_timeout", 20.0) and 0.02
        return real_serve(*arguments, **options)

    async def ping(connection: ServerConnection, data: Any = None) -> Any:
        own: socket.socket = connection.transport.get_extra_info("socket")
        pings.append(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))
        if policy.begun.is_set() and len(pings) > 5:
            policy.let_go.set()
        return await real_ping(connection, data)

    monkeypatch.setattr(serving, "serve", hasty)
    monkeypatch.setattr(ServerConnection, "ping", ping)
    with PolicyServer(policy, port=0) as server, client_of(server) as client:
        for _ in range(6):
            client.send(SMALL)
        assert all(isinstance(client.recv(timeout=5), bytes) for _ in range(6))
    assert 0 < min(pings) <= 120_000, "the system ends the connection of a machine that acknowledges nothing"


def test_a_system_that_cannot_end_dead_connections_itself_is_served(
    policy: HeldPolicy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(socket, "TCP_USER_TIMEOUT")
    policy.let_go.set()
    with PolicyServer(policy, port=0) as server, client_of(server) as client:
        client.send(SMALL)
        assert isinstance(client.recv(timeout=5), bytes)
    assert [record for record in caplog.records if record.name == "asyncio" and record.levelname == "ERROR"] == []


def test_a_server_that_stops_finishes_what_it_began_and_refuses_what_waits(
    server: PolicyServer, policy: HeldPolicy
) -> None:
    with client_of(server) as first, client_of(server) as second, client_of(server) as third:
        first.send(SMALL)
        assert policy.begun.wait(5)
        second.send(SMALL)
        assert second.ping().wait(5)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        said: str | bytes = ""
        while "the server stops" not in str(said).lower():
            third.send("are you there")
            said = third.recv(timeout=5)
        policy.let_go.set()
        assert isinstance(first.recv(timeout=5), bytes)
        assert second.recv(timeout=5) == "ServerStoppingError: The server stops: this request was not begun."
        with pytest.raises(ConnectionClosed, match="the server stops"):
            second.recv(timeout=5)
    stopping.join(10)
    assert not stopping.is_alive()
