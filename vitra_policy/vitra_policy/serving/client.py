"""The `remote` policy: asks a policy server, reconnects by itself, and never waits longer than its deadline."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException
from websockets.sync.client import ClientConnection, connect

from vitra_policy.errors import VitraError
from vitra_policy.policies.policy import ActionChunk, Observation, PolicyError, PolicyMetadata
from vitra_policy.policies.registry import PolicyOptionError
from vitra_policy.serving import wire

_RETRY_S = 0.2


class ConnectionLostError(VitraError):
    """The policy server cannot be reached, or did not answer in time."""


class RemotePolicy:
    """A policy that runs behind a `PolicyServer`.

    An answer that comes after its deadline is thrown away with its connection, so that an old chunk can never be
    taken for the answer to a newer observation.

    Args:
        url: websocket address of the server, e.g. ``ws://127.0.0.1:8000``.
        connect_timeout_s: how long `warm_up` waits for the server to appear.
        infer_timeout_s: deadline of one `infer`, reconnecting included.
        api_key: key the server asks for, if any.
    """

    def __init__(
        self, url: str, connect_timeout_s: float = 10.0, infer_timeout_s: float = 1.0, api_key: str = ""
    ) -> None:
        self.url = url
        self._connect_timeout_s, self._infer_timeout_s = connect_timeout_s, infer_timeout_s
        self._headers = {"Authorization": f"Api-Key {api_key}"} if api_key else None
        self._connection: ClientConnection | None = None
        self._metadata: PolicyMetadata | None = None

    @property
    def metadata(self) -> PolicyMetadata:
        """The server's metadata.

        Raises:
            PolicyError: before `warm_up`.
        """
        if self._metadata is None:
            raise PolicyError(f"The remote policy at {self.url} is not connected yet; call warm_up() first.")
        return self._metadata

    def warm_up(self) -> None:
        """Connect, and check that the server is one of ours.

        Raises:
            ConnectionLostError: no server within `connect_timeout_s`.
            HandshakeError: something else answers there.
        """
        self._connect(time.monotonic() + self._connect_timeout_s)

    def reset(self) -> None:
        """Reset the served policy.

        Raises:
            ConnectionLostError: the server is gone.
        """
        self._request(wire.control_message("reset"))

    def infer(self, observation: Observation) -> ActionChunk:
        """Ask the server.

        Raises:
            ConnectionLostError: no answer within `infer_timeout_s`; the next call connects anew.
            PolicyError: the server refused the observation or its policy failed.
        """
        started_s = time.monotonic()
        answer = self._request(wire.observation_message(observation))
        chunk = wire.chunk_from_message(answer)
        total_s = time.monotonic() - started_s
        served_s = float(answer.get("server_timing", {}).get("infer_ms", 0.0)) * 1e-3
        return dataclasses.replace(chunk, timing={**chunk.timing, "network": max(0.0, total_s - served_s)})

    def close(self) -> None:
        """Leave the server."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close_timeout = 0.1
            connection.close()

    def _request(self, message: Mapping[str, Any]) -> dict[str, Any]:
        deadline_s = time.monotonic() + self._infer_timeout_s
        request = wire.pack(message)
        try:
            if self._connection is None:
                self._connect(deadline_s)
            assert self._connection is not None
            self._connection.send(request)
            answer = self._connection.recv(timeout=max(0.0, deadline_s - time.monotonic()))
        except TimeoutError:
            self.close()
            raise ConnectionLostError(
                f"Policy server {self.url} did not answer within {self._infer_timeout_s:g} s (infer_timeout_s)."
            ) from None
        except (WebSocketException, OSError) as error:
            self.close()
            raise ConnectionLostError(f"Lost the policy server {self.url}: {error}. Connecting anew.") from error
        if isinstance(answer, str):
            raise PolicyError(f"Policy server {self.url}: {answer}")
        return wire.unpack(answer)

    def _connect(self, deadline_s: float) -> None:
        self.close()
        while True:
            try:
                self._open(max(0.05, deadline_s - time.monotonic()))
                return
            except InvalidURI as error:
                raise PolicyOptionError(f"'{self.url}' is no websocket address; use ws://host:port.") from error
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
            metadata = wire.metadata_from_message(wire.unpack(greeting))
            if self._metadata is not None and metadata.policy_id != self._metadata.policy_id:
                raise wire.HandshakeError(
                    f"{self.url} now serves '{metadata.policy_id}' instead of '{self._metadata.policy_id}'. "
                    "Restart the policy node if that is what you want."
                )
        except BaseException:
            connection.close_timeout = 0.1
            connection.close()
            raise
        self._connection, self._metadata = connection, metadata


def make_remote_policy(
    url: str = "",
    host: str = "127.0.0.1",
    port: str = str(wire.DEFAULT_PORT),
    *,
    connect_timeout_s: str = "10",
    infer_timeout_s: str = "1",
    api_key: str = "",
) -> RemotePolicy:
    """Factory of `remote`: ``url=ws://host:port``, or host and port.

    Raises:
        PolicyOptionError: a number is none.
    """
    try:
        address = url or f"ws://{host}:{int(port)}"
        return RemotePolicy(address, float(connect_timeout_s), float(infer_timeout_s), api_key)
    except ValueError as error:
        raise PolicyOptionError(f"Policy 'remote': port and timeouts must be numbers: {error}.") from error
