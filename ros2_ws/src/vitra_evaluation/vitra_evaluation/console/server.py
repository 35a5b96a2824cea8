"""The console's server: static page, one websocket per console, in a thread of its own.

A console first sends its token; then it gets the state (JSON) and pictures (binary: kind byte, JPEG), and sends orders.
One console at a time has control; every console may stop the robot. The operator's presence hangs on the beats of the
console in control: when it is lost the heartbeat falls silent, and the safety supervisor stops the robot.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from aiohttp import WSMsgType, web

from vitra_evaluation.backends.port import TrialPort
from vitra_evaluation.console.access import host_fits, origin_fits, token_fits
from vitra_evaluation.console.state import page_state
from vitra_evaluation.errors import SessionError
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.runner import Order, Runner
from vitra_evaluation.session.trial import Command

_log = logging.getLogger(__name__)
_STATIC = Path(__file__).parent / "static"
_PAGES = {"/": ("index.html", "text/html"), "/console.js": ("console.js", "text/javascript"),
          "/console.css": ("console.css", "text/css")}  # fmt: skip
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_TOKEN_WITHIN_S = 3.0
_STATE_PERIOD_S = 0.1
_STATE_AT_LEAST_S = 1.0
_PICTURE_PERIOD_S = 0.1
_MAX_MESSAGE_BYTES = 4096
_REFUSED = 4401
CAMERA, REFERENCE = b"\x01", b"\x02"


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
    reference: str = ""
    name: str = "evaluator"
    busy: bool = field(default=False)


class ConsoleServer:
    """Serves the console; use as a context manager.

    Args:
        runner: takes the orders.
        port: pictures, safety state.
        session: what is evaluated.
        presence: kept alive by the console in control.
        token: what a console has to know.
        host: address to listen on.
        tcp_port: port to listen on; 0 takes a free one.
    """

    def __init__(
        self,
        runner: Runner,
        port: TrialPort,
        session: Session,
        presence: PresenceLike,
        token: str,
        host: str = "127.0.0.1",
        tcp_port: int = 8765,
    ) -> None:
        self._runner, self._robot, self._session, self._presence = runner, port, session, presence
        self._token, self._host, self.port = token, host, tcp_port
        self._clients: list[_Client] = []
        self._controlling: _Client | None = None
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._error: OSError | None = None
        self._stopping: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)

    def __enter__(self) -> ConsoleServer:
        self._thread.start()
        self._started.wait(10.0)
        if self._error is not None:
            raise SessionError(
                f"The console cannot listen on {self._host}:{self.port} ({self._error}). Give another --port."
            )
        return self

    def __exit__(self, *_: Any) -> None:
        if self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(timeout=5.0)
        self._presence.leave()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        app = web.Application(client_max_size=_MAX_MESSAGE_BYTES)
        for path in _PAGES:
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
            tasks = [asyncio.create_task(self._tell_states()), asyncio.create_task(self._send_pictures())]
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
        if not host_fits(request.headers.get("Host"), self._host, self.port):
            raise web.HTTPMisdirectedRequest
        name, kind = _PAGES[request.path]
        return web.Response(body=(_STATIC / name).read_bytes(), content_type=kind, charset="utf-8", headers=_HEADERS)

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        host = request.headers.get("Host")
        if not host_fits(host, self._host, self.port) or not origin_fits(request.headers.get("Origin"), host):
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
        try:
            said = json.loads(text)
            what = str(said.get("do", ""))
        except (ValueError, AttributeError):
            return
        in_control = self._controlling is client
        if what == "beat":
            if in_control:
                self._presence.touch()
        elif what == Command.STOP:  # whoever sees a danger may stop
            self._runner.give(Order(Command.STOP, person=client.name))
        elif what == "take":
            self._controlling = client
            self._presence.touch()
        elif not in_control:
            await self._answer(client, "Another console has control; take it over first.")
        elif what in tuple(Command):
            self._runner.give(Order(Command(what), str(said.get("text", ""))[:500], client.name))
        else:
            await self._answer(client, f"Unknown order '{what[:40]}'.")

    async def _answer(self, client: _Client, message: str) -> None:
        await client.socket.send_str(json.dumps({"type": "answer", "message": message}))

    async def _tell_states(self) -> None:
        while True:
            await asyncio.sleep(_STATE_PERIOD_S)
            try:
                state = page_state(self._session, self._runner.view, self._robot)
            except Exception:
                _log.exception("the console's state cannot be read")
                continue
            now_s = self._loop.time()
            for client in list(self._clients):
                mine = state | {
                    "type": "state", "control": client is self._controlling, "consoles": len(self._clients),
                }  # fmt: skip
                text = json.dumps(mine)
                if text != client.sent or now_s - client.sent_s > _STATE_AT_LEAST_S:
                    client.sent, client.sent_s = text, now_s
                    with contextlib.suppress(ConnectionError, RuntimeError):
                        await client.socket.send_str(text)

    async def _send_pictures(self) -> None:
        while True:
            await asyncio.sleep(_PICTURE_PERIOD_S)
            if not self._clients:
                continue
            try:
                picture = await self._loop.run_in_executor(None, self._robot.picture)
            except Exception:
                _log.exception("no picture")
                continue
            slot = self._runner.view.slot
            for client in list(self._clients):
                if slot is not None and client.reference != slot.layout + slot.thing:
                    client.reference = slot.layout + slot.thing
                    path = self._session.reference(slot)
                    await self._send(client, REFERENCE + (path.read_bytes() if path.is_file() else b""))
                if picture is not None:
                    await self._send(client, CAMERA + picture)

    async def _send(self, client: _Client, data: bytes) -> None:
        # A slow phone gets fewer pictures; it must not hold up the others, or its own state.
        if client.busy:
            return
        client.busy = True
        task = asyncio.ensure_future(client.socket.send_bytes(data))

        def done(sent: asyncio.Future[None]) -> None:
            client.busy = False
            if not sent.cancelled():
                sent.exception()

        task.add_done_callback(done)
