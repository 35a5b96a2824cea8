"""Serves any policy over a websocket; one bad request never ends it.

    with PolicyServer(policy, port=8000) as server:
        server.wait()

It listens on this machine only unless told otherwise: there is no encryption, so put it behind a tunnel or into a
network of its own. ``GET /healthz`` answers 200 once the policy is warm.
"""

from __future__ import annotations

import asyncio
import hmac
import http
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State

from vitra_policy.errors import VitraError
from vitra_policy.mappings.translator import Translator
from vitra_policy.policies.bounds import SIDE_PX
from vitra_policy.policies.policy import Observation, Policy
from vitra_policy.serving import wire
from vitra_policy.serving.incoming import PING_S, IncomingConnection

_logger = logging.getLogger(__name__)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_START_TIMEOUT_S = 10.0
_READ_BYTES = 3 * SIDE_PX[1] ** 2 + 2**20
"""What is read of a message: more than `MAX_MESSAGE_BYTES`, so that the largest image that an observation can hold is
refused in words; beyond that the connection is closed with code 1009."""
_WAITING_BYTES_MAX = 4 * wire.MAX_MESSAGE_BYTES
"""Of requests of all connections that are not answered yet: ten images of 4K. More could not be answered in time."""
_STOPS = "the server stops"
_CLOSE_S = 5.0
"""Given to the clients to take their last answers when the server stops."""


class ServerStartError(VitraError):
    """The server cannot listen where it was told to."""


class AbandonedRequestError(VitraError):
    """A request whose client is gone."""


class ServerBusyError(VitraError):
    """A request beyond what the server keeps waiting."""


class ServerStoppingError(VitraError):
    """A request that is not begun any more."""


class PolicyServer:
    """A policy behind a websocket, served from a thread of its own.

    Requests of all connections are answered one at a time: a policy is called by one thread only.

    Args:
        policy: what to serve; its owner warms it up before and closes it after.
        host: address to listen on.
        port: TCP port; 0 takes a free one (see `port`).
        api_key: if given, clients must send the header ``Authorization: Api-Key <key>``.
        translator: answers requests that are not in our own terms, e.g. those of openpi's client.
    """

    def __init__(
        self,
        policy: Policy,
        host: str = "127.0.0.1",
        port: int = wire.DEFAULT_PORT,
        api_key: str = "",
        translator: Translator | None = None,
    ) -> None:
        self._translator = translator
        self._policy, self._host, self._wanted_port, self._api_key = policy, host, port, api_key
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="policy")
        self._thread = threading.Thread(target=self._run, name="policy-server", daemon=True)
        self._started, self._ended, self._failure = threading.Event(), threading.Event(), ""
        self._waiting_bytes = 0
        self._connections: set[IncomingConnection] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self.port = 0

    def start(self) -> None:
        """Listen; returns when clients can connect.

        Raises:
            ServerStartError: the address is taken or not ours.
        """
        if self._host not in _LOOPBACK and not self._api_key:
            _logger.warning("serving on %s without a key: everyone who reaches it can use the policy", self._host)
        self._thread.start()
        if not self._started.wait(_START_TIMEOUT_S) or self._failure or not self.port:
            why = self._failure.rstrip(".") or "no answer"
            raise ServerStartError(
                f"Cannot serve on {self._host}:{self._wanted_port}: {why}. Choose another "
                "port, or stop the process that holds this one."
            )
        _logger.info("serving %s on ws://%s:%d", self._policy.metadata.policy_id, self._host, self.port)

    def stop(self) -> None:
        """Finish the request that is being answered, refuse those that wait, and return when the thread has ended."""
        if self._loop is not None and self._stopping is not None and not self._ended.is_set():
            with suppress(RuntimeError):  # it has ended meanwhile
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._ended.wait()
        self._worker.shutdown(wait=True)

    def wait(self) -> None:
        """Block until the server ends (`stop` from another thread, or Ctrl-C)."""
        while not self._ended.wait(timeout=0.5):  # no join: Python 3.11 takes the thread for dead when Ctrl-C ends that
            pass

    def __enter__(self) -> PolicyServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # also a port that is no number: whatever it is, the caller must hear of it
            self._failure = str(error) or type(error).__name__
            _logger.debug("the server ended", exc_info=True)
        finally:
            self._started.set()
            self._ended.set()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server: Server = await serve(
            self._converse,
            self._host,
            self._wanted_port,
            compression=None,
            max_size=_READ_BYTES,
            max_queue=0,  # a client that does not wait for its answers fills its own buffers, not ours
            ping_interval=PING_S,
            ping_timeout=None,
            create_connection=IncomingConnection,
            process_request=self._admit,
        )
        async with server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            self._started.set()
            await self._stopping.wait()
            await self._loop.run_in_executor(self._worker, _nothing)  # behind all that wait: each has heard by now
            server.close(reason=_STOPS)
            await asyncio.wait([asyncio.ensure_future(server.wait_closed())], timeout=_CLOSE_S)
            for connection in self._connections:
                connection.transport.abort()  # it does not read: closing politely would wait for it

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/healthz":
            return connection.respond(http.HTTPStatus.OK, "OK\n")
        sent = request.headers.get("Authorization", "")
        if self._api_key and not hmac.compare_digest(sent.encode(), f"Api-Key {self._api_key}".encode()):
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "Missing or wrong API key.\n")
        return None

    async def _converse(self, connection: ServerConnection) -> None:
        assert isinstance(connection, IncomingConnection)
        self._connections.add(connection)
        peer = connection.remote_address
        _logger.info("client %s connected", peer)
        try:
            await connection.send(wire.pack(wire.metadata_message(self._policy.metadata)))
            last_total_s = 0.0
            while True:  # no variable here for the request: it would outlive its answer
                last_total_s = await self._reply(connection, await connection.recv(), last_total_s)
        except ConnectionClosed:
            pass
        finally:
            self._connections.discard(connection)
            connection.forget()
        _logger.info("client %s left", peer)

    async def _reply(self, connection: ServerConnection, request: str | bytes, last_total_s: float) -> float:
        """Answer one request; the seconds that it took, the waiting for others included."""
        started_s, size = time.monotonic(), len(request)
        answer: str | bytes
        try:
            request = self._admitted(request)
        except VitraError as error:
            answer = _words(error)
        else:
            self._waiting_bytes += size
            try:
                work = asyncio.get_running_loop().run_in_executor
                answer = await work(self._worker, self._answer, connection, request, last_total_s)
            finally:
                self._waiting_bytes -= size
        del request  # before a client is waited for that may never take its answer
        with suppress(ConnectionClosed):  # what it has sent ahead is still read, to be let go
            await connection.send(answer)
        return time.monotonic() - started_s

    def _admitted(self, request: str | bytes) -> bytes:
        self._check_runs()
        if isinstance(request, str):
            raise wire.WireError("Requests must be binary msgpack frames, this one is text.")
        wire.check_length(request)
        if self._waiting_bytes + len(request) > _WAITING_BYTES_MAX:
            raise ServerBusyError(
                f"The server is busy: {self._waiting_bytes} bytes of requests wait for their answers, and with these "
                f"{len(request)} they would be more than {_WAITING_BYTES_MAX}. Ask again when others are answered, or "
                "send smaller images."
            )
        return request

    def _check_runs(self) -> None:
        if self._stopping is not None and self._stopping.is_set():
            raise ServerStoppingError(f"{_STOPS.capitalize()}: this request was not begun.")

    def _answer(self, connection: ServerConnection, request: bytes, last_total_s: float) -> bytes | str:
        """The answer as bytes, or as text what was wrong with the request.

        Errors end here, in the worker: a future would keep them, and their tracebacks the request.
        """
        try:
            answer = self._call(connection, request)
            if last_total_s:
                answer.setdefault("server_timing", {})["prev_total_ms"] = last_total_s * 1e3
            return wire.pack(answer)
        except VitraError as error:
            return _words(error)
        except Exception as error:  # a bug in the policy must not take the server down
            _logger.exception("the policy failed")
            return f"The policy failed: {type(error).__name__}: {error}. The server's log has the traceback."

    def _call(self, connection: ServerConnection, request: bytes) -> dict[str, Any]:
        self._check_runs()
        if connection.state is not State.OPEN:  # it left while others were answered: nobody would hear the answer
            raise AbandonedRequestError(f"Client {connection.remote_address} left before its request was begun.")
        message = wire.unpack(request)
        command = wire.control_of(message)
        if command is not None:
            if command != "reset":
                return wire.acknowledgement("ignored")
            self._policy.reset()
            return wire.acknowledgement(command)
        foreign = self._translator is not None and not wire.is_observation(message)
        observation = self._foreign(message) if foreign else wire.observation_from_message(message)
        self._policy.metadata.check(observation)
        started_s = time.monotonic()
        chunk = self._policy.infer(observation)
        timing = {"server_timing": {"infer_ms": (time.monotonic() - started_s) * 1e3}}
        if foreign and self._translator is not None:
            return self._translator.answer(chunk, observation) | timing
        return wire.chunk_message(chunk) | timing

    def _foreign(self, message: dict[str, Any]) -> Observation:
        assert self._translator is not None
        return self._translator.observation(message)


def _words(error: VitraError) -> str:
    said = f"{type(error).__name__}: {error}"
    _logger.warning("refused a request: %s", said)
    return said


def _nothing() -> None:
    pass
