"""A client's connection as the server holds it: nothing of a message stays behind."""

from __future__ import annotations

import dataclasses

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame
from websockets.http11 import Request


class IncomingConnection(ServerConnection):
    """As websockets has it, but its parser does not hold the last message until the next one comes."""

    def process_event(self, event: Frame | Request) -> None:  # type: ignore[override]
        """Pass a frame on and leave an empty one to the parser, which also outlives the connection in its traceback."""
        if isinstance(event, Frame):
            passed, event.data = dataclasses.replace(event), b""
            event = passed
        super().process_event(event)

    def forget(self) -> None:
        """Drop the error that ended the connection: its traceback leads back here, with the message that caused it."""
        self.connection_exc = None
