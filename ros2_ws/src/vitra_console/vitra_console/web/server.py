"""The server behind every console: static pages, one websocket per console, in a thread of its own.

A console first sends its token; then it gets the state (JSON) and images (binary: kind byte, JPEG), and sends orders.
One console at a time has control; every console may stop the robot. A STOP beats everything older than itself: every
order carries the number of stops that its page knew of, and is refused if there has been one since. The operator's
presence hangs on the beats of the console in control.

A page says what it has shown (`{"do": "seen", "what": "state"}` or `"image"`), and gets the next one only then: one
that is slow to draw gets fewer, and is never seconds behind the robot, as with the sockets' buffers full.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from aiohttp import WSMsgType, web

from vitra_console.web.access import host_fits, origin_fits, token_fits
from vitra_policy.errors import VitraError
from vitra_runtime.threads import WatchedThread

_log = logging.getLogger(__name__)
STATIC = Path(__file__).parent / "static"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_TOKEN_WITHIN_S = 3.0
_STATE_PERIOD_S = 0.1
_STATE_AT_LEAST_S = 1.0
_IMAGE_PERIOD_S = 0.1
_UNSEEN_S = 1.0  # for a program that never says what it has seen
_MAX_MESSAGE_BYTES = 1 << 20
_MAX_ORDER = 4096
_MAX_TEXT = 500
_REFUSED = 4401
STALE = "Given before the last STOP, so not obeyed. Look, then give it again."


class ConsoleError(VitraError):
    """The console cannot be served."""


@dataclass(frozen=True, slots=True)
class Page:
    """A file that is served as it is."""

    file: Path
    content_type: str


@dataclass(frozen=True, slots=True)
class JpegImage:
    """An image for the page; it is sent to a console whenever `key` differs from what that console got last."""

    key: str
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """An order as a console sent it."""

    what: str
    text: str
    person: str
    said: Mapping[str, Any]


class Desk(Protocol):
    """What a console shows and whom its orders reach; called in the server's thread, `images` in a worker's."""

    pages: Mapping[str, Page]

    @property
    def stops(self) -> int:
        """How many stops there have been that no console gave; orders older than the last are refused."""
        ...

    def state(self) -> dict[str, Any]:
        """The whole state of the page as plain data."""
        ...

    def images(self) -> Mapping[int, JpegImage]:
        """The newest images by kind (one byte)."""
        ...

    def stop(self, person: str) -> None:
        """Stop the robot now; must not block."""
        ...

    def order(self, told: Told) -> str:
        """Take an order of the console in control; returns what to tell the person, or nothing. Must not block."""
        ...


class PresenceLike(Protocol):
    """Who keeps the operator's heartbeat alive."""

    def touch(self) -> None:
        """A console is there."""
        ...

    def leave(self) -> None:
        """It is gone."""
        ...


@dataclass(eq=False)
class _Client:
    socket: web.WebSocketResponse
    sent: str = ""
    sent_s: float = 0.0
    images: dict[int, str] = field(default_factory=dict)
    name: str = "operator"
    sending: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    unseen_s: dict[str, float] = field(default_factory=dict)
    """When what it has not seen yet was sent, by kind."""

    def takes(self, what: str, now_s: float) -> bool:
        """Whether the last of this kind has arrived and been shown."""
        sent_s = self.unseen_s.get(what)
        return what not in self.sending and (sent_s is None or now_s - sent_s > _UNSEEN_S)

    def give(self, what: str, sending: Coroutine[Any, Any, None], now_s: float) -> None:
        """Send without waiting: a slow phone must not hold up the others."""
        task = self.sending[what] = asyncio.ensure_future(sending)
        self.unseen_s[what] = now_s

        def done(sent: asyncio.Future[None]) -> None:
            del self.sending[what]
            if not sent.cancelled():
                sent.exception()

        task.add_done_callback(done)


class ConsoleServer:
    """Serves a desk; use as a context manager.

    Args:
        desk: what is shown, and who takes the orders.
        presence: kept alive by the console in control.
        token: what a console has to know.
        host: address to listen on.
        tcp_port: port to listen on; 0 takes a free one.
        names: further host names to answer to, e.g. of a tunnel.
    """

    def __init__(
        self,
        desk: Desk,
        presence: PresenceLike,
        token: str,
        host: str = "127.0.0.1",
        tcp_port: int = 8765,
        names: Iterable[str] = (),
    ) -> None:
        self._desk, self._presence, self._names = desk, presence, tuple(names)
        self._pages = dict(desk.pages) | {
            "/base.js": Page(STATIC / "base.js", "text/javascript"),
            "/base.css": Page(STATIC / "base.css", "text/css"),
        }
        self._token, self._host, self.port = token, host, tcp_port
        self._clients: list[_Client] = []
        self._controlling: _Client | None = None
        self._pressed = 0
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._error: OSError | None = None
        self._stopping: asyncio.Event | None = None
        self._thread = WatchedThread(self._run, name="console", should_run=self._should_serve)

    def __enter__(self) -> ConsoleServer:
        self._thread.start()
        self._started.wait(10.0)
        if self._error is not None:
            raise ConsoleError(
                f"The console cannot listen on {self._host}:{self.port} ({self._error}). Give another port."
            )
        return self

    def __exit__(self, *_: Any) -> None:
        if self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(timeout=5.0)
        self._presence.leave()

    @property
    def url(self) -> str:
        """The link to open; it holds the token."""
        return f"http://{self._host}:{self.port}/#token={self._token}"

    def _should_serve(self) -> bool:
        """Whether nobody asked it to end; one that could not listen has told so in `__enter__`."""
        return self._error is None and self._stopping is not None and not self._stopping.is_set()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        app = web.Application(client_max_size=_MAX_MESSAGE_BYTES)
        for path in self._pages:
            app.router.add_get(path, self._page)
        app.router.add_get("/ws", self._websocket)
        serving = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await serving.setup()
        try:
            site = web.TCPSite(serving, self._host, self.port)
            try:
                await site.start()
            except OSError as error:
                self._error = error
                return
            self.port = serving.addresses[0][1]
            self._started.set()
            tasks = [asyncio.create_task(self._tell_states()), asyncio.create_task(self._send_images())]
            await self._stopping.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for client in list(self._clients):
                await client.socket.close()
        finally:
            self._started.set()
            await serving.cleanup()

    async def _page(self, request: web.Request) -> web.Response:
        if not host_fits(request.headers.get("Host"), self._host, self.port, self._names):
            raise web.HTTPMisdirectedRequest
        page = self._pages[request.path]
        return web.Response(
            body=page.file.read_bytes(), content_type=page.content_type, charset="utf-8", headers=HEADERS
        )

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        host = request.headers.get("Host")
        if not host_fits(host, self._host, self.port, self._names) or not origin_fits(
            request.headers.get("Origin"), host
        ):
            raise web.HTTPForbidden
        socket = web.WebSocketResponse(max_msg_size=_MAX_MESSAGE_BYTES, heartbeat=2.0, compress=False)
        await socket.prepare(request)
        if not await self._knows_token(socket):
            await socket.close(code=_REFUSED, message=b"wrong token")
            return socket
        client = _Client(socket)
        self._clients.append(client)
        if self._controlling is None:
            self._controlling = client
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._hear(client, message.data)
        finally:
            self._clients.remove(client)
            if self._controlling is client:
                self._controlling = None
                self._presence.leave()
        return socket

    async def _knows_token(self, socket: web.WebSocketResponse) -> bool:
        try:
            first = await socket.receive(timeout=_TOKEN_WITHIN_S)
            said = json.loads(first.data) if first.type is WSMsgType.TEXT else None
        except (TimeoutError, ValueError):
            return False
        return isinstance(said, dict) and token_fits(said.get("token"), self._token)

    async def _hear(self, client: _Client, text: str) -> None:
        if len(text) > _MAX_ORDER:
            await self._answer(client, f"That is too long to be an order: {len(text)} characters of {_MAX_ORDER}.")
            return
        try:
            said = json.loads(text)
            what = str(said.get("do", ""))
        except (ValueError, AttributeError):
            return
        in_control = self._controlling is client
        if what == "beat":
            if in_control:
                self._presence.touch()
        elif what == "seen":
            client.unseen_s.pop(str(said.get("what")), None)
        elif what == "stop":  # whoever sees a danger may stop
            self._pressed += 1
            self._desk.stop(client.name)
        elif what == "take":
            self._controlling = client
            self._presence.touch()
        elif not in_control:
            await self._answer(client, "Another console has control; take it over first.")
        elif said.get("stops", 0) != self._stops:
            await self._answer(client, STALE)
        else:
            answer = self._desk.order(Told(what, str(said.get("text", ""))[:_MAX_TEXT], client.name, said))
            if answer:
                await self._answer(client, answer)

    @property
    def _stops(self) -> int:
        return self._pressed + self._desk.stops

    async def _answer(self, client: _Client, message: str) -> None:
        await client.socket.send_str(json.dumps({"type": "answer", "message": message}))

    async def _tell_states(self) -> None:
        while True:
            await asyncio.sleep(_STATE_PERIOD_S)
            try:
                state = self._desk.state()
            except Exception:
                _log.exception("the console's state cannot be read")
                continue
            now_s = self._loop.time()
            common = state | {"type": "state", "consoles": len(self._clients), "stops": self._stops}
            for client in list(self._clients):
                text = json.dumps(common | {"control": client is self._controlling})
                news = text != client.sent or now_s - client.sent_s > _STATE_AT_LEAST_S
                if news and client.takes("state", now_s):
                    client.sent, client.sent_s = text, now_s
                    client.give("state", client.socket.send_str(text), now_s)

    async def _send_images(self) -> None:
        while True:
            await asyncio.sleep(_IMAGE_PERIOD_S)
            if not self._clients:
                continue
            try:
                images = await self._loop.run_in_executor(None, self._desk.images)
            except Exception:
                _log.exception("no image")
                continue
            now_s = self._loop.time()
            for client in list(self._clients):
                for kind, image in images.items():
                    if client.images.get(kind) != image.key and client.takes("image", now_s):
                        client.images[kind] = image.key
                        client.give("image", client.socket.send_bytes(bytes([kind]) + image.jpeg), now_s)
