"""A double of openpi's policy server for tests: its frames, metadata {} and {"actions"}, and its way to fail.

Like the original it knows no control messages, sends a traceback as text and closes when anything goes wrong
(openpi: src/openpi/serving/websocket_policy_server.py).
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from vitra_policy.serving import wire


class OpenpiDouble:
    """Answers with what `infer` makes of a request's map.

    Args:
        infer: the policy.
        metadata: what it says of itself.
        port: 0 takes a free one.
    """

    def __init__(
        self, infer: Callable[[dict[str, Any]], dict[str, Any]], metadata: dict[str, Any] | None = None, port: int = 0
    ) -> None:
        self._infer, self.metadata = infer, metadata or {}
        self.requests: list[dict[str, Any]] = []
        self._server: Server = serve(self._converse, "127.0.0.1", port, compression=None, max_size=None)
        self.port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"ws://127.0.0.1:{self.port}"

    def __enter__(self) -> OpenpiDouble:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(10)

    def _converse(self, connection: ServerConnection) -> None:
        connection.send(wire.pack(self.metadata))
        while True:
            try:
                request = wire.unpack(connection.recv())  # type: ignore[arg-type]
                self.requests.append(request)
                answer = self._infer(request)
                connection.send(wire.pack(answer | {"server_timing": {"infer_ms": 1.0}}))
            except ConnectionClosed:
                return
            except Exception:
                connection.send(traceback.format_exc())
                connection.close(1011, "Internal server error.")
                return
