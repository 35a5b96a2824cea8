"""A foreign policy server behind our interface: requests and answers go through a mapping."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from vitra_policy.mappings.mapping import Mapping, load_mapping
from vitra_policy.mappings.part import AnswerRefusedError, Situation
from vitra_policy.policies.policy import ActionChunk, Observation, PolicyError, PolicyMetadata
from vitra_policy.policies.robot import RobotKinematics, find_robot
from vitra_policy.serving import wire
from vitra_policy.serving.connection import ServerConnection

_LONGEST_CAUSE = 300


class MappedPolicy:
    """Any server that speaks openpi's wire format, whatever its keys.

    Nothing but observations is ever sent: such servers know no control messages. What a server says of itself must stay
    the same as long as it is used.

    Args:
        url: websocket address.
        mapping: its terms.
        robot: kinematics, where the mapping needs them.
        connect_timeout_s: how long `warm_up` waits for the server to appear.
        infer_timeout_s: deadline of one `infer`, reconnecting included.
        api_key: key the server asks for, if any.
    """

    def __init__(
        self,
        url: str,
        mapping: Mapping,
        robot: RobotKinematics | None = None,
        connect_timeout_s: float = 10.0,
        infer_timeout_s: float = 1.0,
        api_key: str = "",
    ) -> None:
        self.url, self.mapping, self._robot = url, mapping, robot
        self._said: dict[str, str] | None = None
        self._connection = ServerConnection(
            url, self._greet, connect_timeout_s, infer_timeout_s, api_key, text_ends=True
        )
        self._metadata = PolicyMetadata(
            mapping.name,
            steps=mapping.steps,
            step_s=mapping.step_s,
            needs_image=mapping.needs_image,
            needs_state=True,
        )

    @property
    def metadata(self) -> PolicyMetadata:
        """As the mapping says; such servers say little of themselves."""
        return self._metadata

    def warm_up(self) -> None:
        """Connect.

        Raises:
            ConnectionLostError: no server within `connect_timeout_s`.
            HandshakeError: something else answers there.
        """
        self._connection.open()

    def reset(self) -> None:
        """Nothing to forget: every request stands alone."""

    def infer(self, observation: Observation) -> ActionChunk:
        """Ask the server.

        Raises:
            ConnectionLostError: no answer in time; the next call connects anew.
            PolicyError: the server could not read the request.
            AnswerRefusedError: the answer is not what the mapping says, whose line is named.
        """
        now = Situation(observation, self.mapping.step_s, self._robot)
        message = self.mapping.request(now)
        started_s = time.monotonic()
        try:
            answer = self._connection.request(message)
        except PolicyError as error:
            last = str(error).strip().splitlines()[-1][-_LONGEST_CAUSE:]
            where = self.mapping.section.where("request")
            raise PolicyError(
                f"{where}: the server at {self.url} could not read the request made by this mapping: {last}"
            ) from error
        total_s = time.monotonic() - started_s
        chunk = self.mapping.chunk(answer, now)
        served_s = wire.served_s(answer)
        return dataclasses.replace(chunk, timing={"server": served_s, "network": max(0.0, total_s - served_s)})

    def close(self) -> None:
        """Leave the server."""
        self._connection.close()

    def _greet(self, greeting: dict[str, Any]) -> None:
        try:
            self.mapping.check_metadata(greeting)
        except AnswerRefusedError as error:
            raise wire.HandshakeError(str(error)) from error
        said = {key: repr(value) for key, value in greeting.items()}
        if self._said is not None and said != self._said:
            changed = sorted(key for key in said.keys() | self._said.keys() if said.get(key) != self._said.get(key))
            raise wire.HandshakeError(
                f"The server at {self.url} says something else of itself than before ({', '.join(changed)}). Restart "
                "the policy node if another model is what you want."
            )
        self._said = said


def make_mapped_policy(
    url: str, mapping: str, timeouts_s: tuple[float, float], api_key: str, calibration: str, arm_variant: str
) -> MappedPolicy:
    """A mapped policy by the mapping's name or path.

    Args:
        url: Of the server, `ws://host:port`.
        mapping: Name or path.
        timeouts_s: For the connection and for an answer.
        api_key: What the server wants to hear; empty: nothing.
        calibration: Of the robot whose kinematics the mapping may need.
        arm_variant: Kind of its arms.

    Raises:
        VitraError: the mapping cannot be used, or the robot's kinematics are needed and not installed.
    """
    terms = load_mapping(mapping)
    robot = find_robot(calibration, arm_variant) if terms.needs_robot else None
    return MappedPolicy(url, terms, robot, *timeouts_s, api_key)
