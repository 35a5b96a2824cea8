"""The `remote` policy: asks a policy server, ours in full, or any other through a mapping."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from vitra_policy.policies.policy import ActionChunk, Observation, Policy, PolicyError, PolicyMetadata
from vitra_policy.policies.registry import PolicyOptionError
from vitra_policy.serving import wire
from vitra_policy.serving.connection import ConnectionLostError as ConnectionLostError
from vitra_policy.serving.connection import ServerConnection
from vitra_policy.serving.mapped import make_mapped_policy


class RemotePolicy:
    """A policy that runs behind a `PolicyServer`.

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
        self._connection = ServerConnection(url, self._greet, connect_timeout_s, infer_timeout_s, api_key)
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
        self._connection.open()

    def reset(self) -> None:
        """Reset the served policy.

        Raises:
            ConnectionLostError: the server is gone.
        """
        self._connection.request(wire.control_message("reset"))

    def infer(self, observation: Observation) -> ActionChunk:
        """Ask the server.

        Raises:
            ConnectionLostError: no answer within `infer_timeout_s`; the next call connects anew.
            PolicyError: the server refused the observation or its policy failed.
        """
        started_s = time.monotonic()
        answer = self._connection.request(wire.observation_message(observation))
        chunk = wire.chunk_from_message(answer)
        total_s = time.monotonic() - started_s
        network_s = max(0.0, total_s - wire.served_s(answer))
        return dataclasses.replace(chunk, timing={**chunk.timing, "network": network_s})

    def close(self) -> None:
        """Leave the server."""
        self._connection.close()

    def _greet(self, greeting: dict[str, Any]) -> None:
        metadata = wire.metadata_from_message(greeting)
        if self._metadata is not None and metadata.policy_id != self._metadata.policy_id:
            raise wire.HandshakeError(
                f"{self.url} now serves '{metadata.policy_id}' instead of '{self._metadata.policy_id}'. "
                "Restart the policy node if that is what you want."
            )
        self._metadata = metadata


def make_remote_policy(
    url: str = "",
    host: str = "127.0.0.1",
    port: str = str(wire.DEFAULT_PORT),
    *,
    connect_timeout_s: str = "10",
    infer_timeout_s: str = "1",
    api_key: str = "",
    mapping: str = "",
    calibration: str = "sim",
    arm_variant: str = "6f",
) -> Policy:
    """Factory of `remote`; options come by name, as text.

    Args:
        url: ``ws://host:port``; empty: of host and port.
        host: Of the server.
        port: Of the server.
        connect_timeout_s: For the connection.
        infer_timeout_s: For an answer.
        api_key: What the server wants to hear; empty: nothing.
        mapping: Of a foreign server, ``openpi-droid`` for example; empty: it speaks our own terms.
        calibration: Of the robot whose kinematics a mapping may need.
        arm_variant: Kind of its arms.

    Raises:
        PolicyOptionError: a number is none.
        MappingError: the mapping cannot be used.
    """
    try:
        address = url or f"ws://{host}:{int(port)}"
        timeouts_s = float(connect_timeout_s), float(infer_timeout_s)
    except ValueError as error:
        raise PolicyOptionError(f"Policy 'remote': port and timeouts must be numbers: {error}.") from error
    if mapping:
        return make_mapped_policy(address, mapping, timeouts_s, api_key, calibration, arm_variant)
    return RemotePolicy(address, *timeouts_s, api_key)
