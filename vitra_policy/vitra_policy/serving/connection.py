"""One connection to a policy server: reconnects by itself, and never waits longer than its deadline."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException
from websockets.sync.client import ClientConnection, connect

from vitra_policy.errors import VitraError
from vitra_policy.policies.policy import PolicyError
from vitra_policy.policies.registry import PolicyOptionError
from vitra_policy.serving import wire

_RETRY_S = 0.2
_LONGEST_S = 86_400.0
_MOST_WORDS = 2000
"""Characters of a server's text that are passed on: its end, where a traceback names the cause."""


class ConnectionLostError(VitraError):
    """The policy server cannot be reached, or did not answer in time."""


class ServerConnection:
    """Requests and answers of one server.

    An answer that comes after its deadline is thrown away with its connection, so that an old one can never be taken
    for the answer to a newer request.

    Args:
        url: websocket address of the server, e.g. ``ws://127.0.0.1:8000``.
        greeted: takes the metadata of every new connection; raising refuses the server.
        connect_timeout_s: how long `open` waits for the server to appear.
        infer_timeout_s: deadline of one request, reconnecting included.
        api_key: key the server asks for, if any.
        text_ends: whether a server closes after it has answered with words, as openpi's does.

    Raises:
        PolicyOptionError: a timeout or a key that cannot be.
    """

    def __init__(
        self,
        url: str,
        greeted: Callable[[dict[str, Any]], None],
        connect_timeout_s: float = 10.0,
        infer_timeout_s: float = 1.0,
        api_key: str = "",
        *,
        text_ends: bool = False,
    ) -> None:
        if not (abs(connect_timeout_s) <= _LONGEST_S and 0 < infer_timeout_s <= _LONGEST_S):  # false of NaN
            raise PolicyOptionError(
                f"connect_timeout_s={connect_timeout_s:g}, infer_timeout_s={infer_timeout_s:g}: give seconds above 0, "
                f"at most {_LONGEST_S:g}."
            )
        if not (api_key.isascii() and (not api_key or api_key.isprintable())):
            raise PolicyOptionError("api_key must be printable ASCII characters, as a header of HTTP holds them.")
        self.url = url
        self.infer_timeout_s = infer_timeout_s
        self._greeted, self._connect_timeout_s, self._text_ends = greeted, connect_timeout_s, text_ends
        self._headers = {"Authorization": f"Api-Key {api_key}"} if api_key else None
        self._connection: ClientConnection | None = None

    def open(self) -> None:
        """Connect.

        Raises:
            ConnectionLostError: no server within `connect_timeout_s`.
            HandshakeError: something else answers there.
        """
        self._connect(time.monotonic() + self._connect_timeout_s)

    def close(self) -> None:
        """Leave the server."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close_timeout = 0.1
            connection.close()

    def request(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Ask.

        Raises:
            ConnectionLostError: no answer within `infer_timeout_s`, or one too many; the next call connects anew.
            PolicyError: the server answered with words.
            WireError: the answer is no message of openpi's wire format.
        """
        deadline_s = time.monotonic() + self.infer_timeout_s
        request = wire.pack(message)
        try:
            if self._connection is None:
                self._connect(deadline_s)
            assert self._connection is not None
            self._refuse_unasked(self._connection)
            _send(self._connection, request, deadline_s)
            answer = self._connection.recv(timeout=max(0.0, deadline_s - time.monotonic()))
        except TimeoutError:
            self.close()
            raise ConnectionLostError(
                f"Policy server {self.url} did not answer within {self.infer_timeout_s:g} s (infer_timeout_s)."
            ) from None
        except (WebSocketException, OSError) as error:
            self.close()
            raise ConnectionLostError(f"Lost the policy server {self.url}: {error}. Connecting anew.") from error
        if isinstance(answer, str):
            if self._text_ends:
                self.close()
            raise PolicyError(f"Policy server {self.url}: {_words(answer)}")
        return self._unpacked(answer)

    def _refuse_unasked(self, connection: ClientConnection) -> None:
        """A message that is there before the request would be taken for its answer, and each later one with it."""
        try:
            connection.recv(timeout=0)
        except TimeoutError:
            return
        self.close()
        raise ConnectionLostError(
            f"Policy server {self.url} sent a message that nobody asked for; which answer belongs to which observation "
            "cannot be told any more. It must send its metadata once, and one message for each request."
        )

    def _connect(self, deadline_s: float) -> None:
        self.close()
        while True:
            try:
                self._open(max(0.05, deadline_s - time.monotonic()))
                return
            except (InvalidURI, ValueError) as error:  # a port that is none, a name that no host can have
                raise PolicyOptionError(
                    f"'{self.url}' is no websocket address; use ws://host:port, port 1 to 65535."
                ) from error
            except InvalidHandshake as error:
                raise wire.HandshakeError(f"{self.url} refused the connection: {error}.") from error
            except (OSError, TimeoutError, WebSocketException) as error:
                if time.monotonic() + _RETRY_S >= deadline_s:
                    raise ConnectionLostError(
                        f"No policy server at {self.url}: {error or type(error).__name__}. Start one with "
                        "'vitra-policy serve', or check address, port and firewall."
                    ) from error
                time.sleep(_RETRY_S)

    def _open(self, timeout_s: float) -> None:
        connection = connect(
            self.url,
            compression=None,
            max_size=wire.MAX_MESSAGE_BYTES,
            open_timeout=timeout_s,
            additional_headers=self._headers,
            proxy=None,
        )
        try:
            greeting = connection.recv(timeout=timeout_s)
            if isinstance(greeting, str):
                raise wire.HandshakeError(f"{self.url} greets with text instead of metadata: {greeting[:200]!r}.")
            self._greeted(self._unpacked(greeting))
        except BaseException:
            connection.close_timeout = 0.1
            connection.close()
            raise
        self._connection = connection

    def _unpacked(self, data: bytes) -> dict[str, Any]:
        try:
            return wire.unpack(data)
        except wire.WireError as error:
            raise wire.WireError(
                f"Policy server {self.url} does not speak openpi's wire format (msgpack maps with arrays of numbers): "
                f"{error}"
            ) from error


def _send(connection: ClientConnection, request: bytes, deadline_s: float) -> None:
    """Send before the deadline: a server that reads nothing would hold a large request for ever.

    Raises:
        TimeoutError: it was not over.
    """
    late = threading.Event()

    def give_up() -> None:
        late.set()
        with contextlib.suppress(OSError):
            connection.socket.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline_s - time.monotonic()), give_up)
    timer.start()
    try:
        connection.send(request)
    except (WebSocketException, OSError) as error:
        if late.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()


def _words(text: str) -> str:
    printable = "".join(c if c.isprintable() or c == "\n" else " " for c in text[-_MOST_WORDS:])
    return printable if printable.strip() else "it answered with an empty text"
