"""Hands in websocket messages of the wire format: for browsers and headsets that cannot send datagrams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vitra_runtime.threads import WatchedThread
from vitra_teleop.hands import Action, HandFrame, TeleopError
from vitra_teleop.inputs.mailbox import FrameMailbox
from vitra_teleop.wire import MAX_BYTES


class WebsocketInput:
    """Serves one address; of several clients one has the hands.

    Args:
        host: address to serve.
        port: TCP port; 0 takes a free one.
        clock: ROS time, seconds.
    """

    def __init__(self, host: str, port: int, clock: Callable[[], float]) -> None:
        self.host, self.port = host, port
        self.mailbox = FrameMailbox(clock)
        self._server: Any = None
        self._thread: WatchedThread | None = None

    def open(self) -> None:
        """Begin to serve.

        Raises:
            TeleopError: the address is taken or not ours.
        """
        from websockets.sync.server import serve

        try:
            self._server = serve(self._receive, self.host, self.port, max_size=MAX_BYTES)
        except OSError as error:
            raise TeleopError(
                f"Cannot serve hands on {self.host}:{self.port}: {error.strerror}. Choose another port "
                "(input_options:=port=...)."
            ) from error
        self.port = self._server.socket.getsockname()[1]
        self._thread = WatchedThread(
            self._server.serve_forever, name="hands-websocket", should_run=lambda: self._server is not None
        )
        self._thread.start()

    def poll(self) -> HandFrame | None:
        """See `TeleopInput`."""
        return self.mailbox.take()

    def poll_actions(self) -> tuple[Action, ...]:
        """See `TeleopInput`."""
        return self.mailbox.take_actions()

    def close(self) -> None:
        """Stop serving."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
        if self._thread is not None:
            self._thread.join(timeout=2.0)
            self._thread = None

    def _receive(self, connection: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        sender = "{}:{}".format(*connection.remote_address[:2])
        try:
            for message in connection:
                self.mailbox.put(message, sender)
        except ConnectionClosed:
            return
