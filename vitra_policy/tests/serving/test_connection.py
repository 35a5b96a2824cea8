"""A server that does not keep to the protocol: words that name it, and no wait beyond the deadline."""

from __future__ import annotations

import base64
import hashlib
import pickle
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgpack
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from vitra_policy.policies.policy import PolicyError
from vitra_policy.policies.registry import PolicyOptionError
from vitra_policy.serving import connection as ours
from vitra_policy.serving import wire
from vitra_policy.serving.client import make_remote_policy

_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@contextmanager
def answering(answer: bytes | str, times: int = 1) -> Iterator[str]:
    """A server with the metadata {} and always the same frame, once or more often."""

    def converse(connection: ServerConnection) -> None:
        connection.send(wire.pack({}))
        try:
            while True:
                connection.recv()
                for _ in range(times):
                    connection.send(answer)
        except ConnectionClosed:
            pass

    with serve(converse, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join(5)


@contextmanager
def deaf() -> Iterator[str]:
    """A server that greets and then reads nothing any more."""
    over = threading.Event()

    def greet(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(1024)
            lines = (line.partition(b": ") for line in head.split(b"\r\n"))
            key = next(value for name, _, value in lines if name.lower() == b"sec-websocket-key")
            accept = base64.b64encode(hashlib.sha1(key + _KEY).digest())
            greeting = wire.pack({})
            connection.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + bytes([0x82, len(greeting)]) + greeting
            )
            over.wait(60)

    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        thread = threading.Thread(target=greet, args=(listening,))
        thread.start()
        yield f"ws://127.0.0.1:{listening.getsockname()[1]}"
        over.set()
        thread.join(5)


def ask(url: str, infer_timeout_s: float = 5.0, message: dict[str, Any] | None = None) -> dict[str, Any]:
    connection = ours.ServerConnection(url, lambda greeting: None, 5.0, infer_timeout_s, text_ends=True)
    connection.open()
    try:
        return connection.request(message or {"prompt": "go"})
    finally:
        connection.close()


@pytest.mark.timeout(60)
def test_a_server_that_reads_nothing_does_not_hold_a_large_request_beyond_the_deadline() -> None:
    with deaf() as url:
        started_s = time.monotonic()
        with pytest.raises(ours.ConnectionLostError, match=r"did not answer within 0.5 s"):
            ask(url, 0.5, {"image": np.zeros((2160, 3840, 3), np.uint8)})
        assert time.monotonic() - started_s < 10


@pytest.mark.parametrize(
    "answer",
    [
        b"\x93\x00garbage",
        b"",
        pickle.dumps({"actions": 1}),
        msgpack.packb([1]),
        msgpack.packb({"a": {b"__ndarray__": True, b"data": pickle.dumps(1), b"dtype": "|O", b"shape": [1]}}),
    ],
)
def test_what_is_no_message_names_the_server(answer: bytes) -> None:
    with answering(answer) as url, pytest.raises(wire.WireError, match=f"{url} does not speak openpi's wire format"):
        ask(url)


def test_an_answer_too_many_is_not_taken_for_the_next_one() -> None:
    answer = wire.pack({"actions": np.zeros((1, 1))})
    with answering(answer, times=2) as url:
        connection = ours.ServerConnection(url, lambda greeting: None, 5.0, 5.0)
        connection.open()
        connection.request({"prompt": "go"})
        sent = connection._connection
        assert sent is not None
        sent.ping().wait(5)  # what was sent before the pong is there
        with pytest.raises(ours.ConnectionLostError, match="sent a message that nobody asked for"):
            connection.request({"prompt": "go on"})
        connection.request({"prompt": "anew"})
        connection.close()


def test_long_or_empty_words_of_a_server_are_cut_to_what_can_be_read() -> None:
    with answering("x" * 100_000 + "KeyError: \x1b[31m'state'") as url:
        with pytest.raises(PolicyError, match=r"KeyError:  \[31m'state'") as caught:
            ask(url)
        assert len(str(caught.value)) < 2200
    with answering("") as url, pytest.raises(PolicyError, match="an empty text"):
        ask(url)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"port": "99999"}, "is no websocket address"),
        ({"port": "-1"}, "is no websocket address"),
        ({"url": "ws://[::1"}, "is no websocket address"),
        ({"host": "a\u2028b"}, "is no websocket address"),
        ({"infer_timeout_s": "nan"}, "seconds above 0"),
        ({"infer_timeout_s": "-1"}, "seconds above 0"),
        ({"connect_timeout_s": "inf"}, "seconds above 0"),
        ({"infer_timeout_s": "1e30"}, "seconds above 0, at most 86400"),
        ({"api_key": "schl\u00fcssel"}, "printable ASCII"),
        ({"api_key": "a\r\nHost: b"}, "printable ASCII"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options: dict[str, str], says: str) -> None:
    with pytest.raises(PolicyOptionError, match=says):
        make_remote_policy(**{"connect_timeout_s": "0.2", **options}).warm_up()
