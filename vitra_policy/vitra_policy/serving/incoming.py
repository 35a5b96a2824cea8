"""A client's connection as the server holds it: nothing of a message stays behind, and a dead client is noticed."""

from __future__ import annotations

import asyncio
import dataclasses
import socket

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame
from websockets.http11 import Request

PING_S = 20.0
"""Between two pings. Their pongs are not waited for: a client that has sent requests ahead has its pongs behind them,
and they are not read before those are answered."""
_UNACKNOWLEDGED_MS = 60_000
"""A client whose machine acknowledges nothing for so long, pings included, or takes no answer, is gone."""


class IncomingConnection(ServerConnection):
    """As websockets has it, but its parser does not hold the last message until the next one comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the system end the connection of a client that is gone, where it can (Linux)."""
        super().connection_made(transport)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            own: socket.socket = transport.get_extra_info("socket")
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)

    def process_event(self, event: Frame | Request) -> None:  # type: ignore[override]
        """Pass a frame on and leave an empty one to the parser, which also outlives the connection in its traceback."""
        if isinstance(event, Frame):
            passed, event.data = dataclasses.replace(event), b""
            event = passed
        super().process_event(event)

    def forget(self) -> None:
        """Drop the error that ended the connection: its traceback leads back here, with the message that caused it."""
        self.connection_exc = None
