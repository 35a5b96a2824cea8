"""ROS messages to the policy's types and back; pure functions of the messages."""

from __future__ import annotations

import array
import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, Image, JointState

from vitra_description.hand_description import HandDescription
from vitra_description.hands.xhand1 import XHAND1
from vitra_description.names import arm_joints
from vitra_inference.observations import Camera, Frame
from vitra_inference.worker import Answer
from vitra_msgs.msg import HandActionChunk, SimState
from vitra_policy.camera_messages.decode import ImageMessageError, raw_image
from vitra_policy.errors import VitraError
from vitra_policy.policies.policy import Extra
from vitra_runtime.sim_state import extras_of

FloatArray = NDArray[np.float64]


class MessageError(VitraError):
    """A message whose content contradicts itself."""


def stamp_ns_of(raw: bytes) -> int:
    """Stamp of any serialised message that starts with a std_msgs/Header [ns]; costs no deserialisation."""
    order = "<" if raw[1] & 1 else ">"
    seconds, nanoseconds = struct.unpack_from(f"{order}iI", raw, 4)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)


def frame_of(raw: bytes, frame_id: str, *, keep: bool = True) -> Frame:
    """A frame of a serialised image (or camera_info, without pixels).

    Args:
        raw: The message, CDR.
        frame_id: Frame it must be in.
        keep: Whether the bytes are kept for the pixels.
    """
    stamp_ns = stamp_ns_of(raw)
    return Frame(stamp_ns * 1e-9, stamp_ns, frame_id, raw if keep else None)


def camera_of(message: CameraInfo) -> Camera:
    """Intrinsics of a camera_info."""
    return Camera(np.array(message.k, dtype=np.float64).reshape(3, 3), message.width, message.height)


def decode_image(raw: bytes) -> NDArray[np.uint8]:
    """RGB image (H, W, 3) of a serialised sensor_msgs/Image; no copy for rgb8.

    Raises:
        UnknownNameError: another encoding.
        MessageError: sizes that do not belong together.
    """
    message = deserialize_message(raw, Image)
    try:
        return raw_image(message.height, message.width, message.step, message.encoding, message.data)
    except ImageMessageError as error:
        raise MessageError(str(error)) from None


class JointDecoder:
    """Positions of serialised joint states in the order of the arm's and the hand's description."""

    def __init__(self, hand: HandDescription = XHAND1) -> None:
        self._hand = hand
        self._order: dict[tuple[str, tuple[str, ...]], list[int]] = {}

    def __call__(self, stream: str, raw: bytes) -> FloatArray:
        """Positions [rad] of the stream ``{side}_arm`` (7,) or ``{side}_hand`` (dof,).

        Raises:
            MessageError: a joint is missing, or there are more names than positions.
        """
        message = deserialize_message(raw, JointState)
        key = (stream, tuple(message.name))
        order = self._order.get(key)
        if order is None:
            order = self._order[key] = self._find(stream, message.name)
        if len(message.position) < len(message.name):
            raise MessageError(
                f"{stream}/joint_states has {len(message.position)} positions for {len(message.name)} names."
            )
        return np.asarray(message.position, dtype=np.float64)[order]

    def _find(self, stream: str, names: Sequence[str]) -> list[int]:
        side, part = stream.split("_")
        expected = arm_joints(side) if part == "arm" else self._hand.joint_names(side)
        lacking = [name for name in expected if name not in names]
        if lacking:
            raise MessageError(
                f"{stream}/joint_states lacks {', '.join(lacking)}; it has {', '.join(names) or 'none'}."
            )
        return [list(names).index(name) for name in expected]


def decode_sim_state(raw: bytes) -> dict[str, Extra]:
    """Extras of a serialised SimState."""
    return extras_of(deserialize_message(raw, SimState))


def chunk_message(answer: Answer) -> HandActionChunk:
    """The message of an answer, stamped with the time of its observation."""
    chunk, observation, frame = answer.chunk, answer.observation, answer.frame
    message = HandActionChunk(
        sequence=answer.sequence,
        step_s=float(chunk.step_s),
        steps=chunk.steps,
        actions=array.array("f", np.ascontiguousarray(chunk.actions, dtype=np.float32).tobytes()),
        observed=observation.state,
        left_valid=bool(chunk.valid[0]),
        right_valid=bool(chunk.valid[1]),
        source="policy",
        policy_id=chunk.policy_id,
        instruction=observation.instruction,
        committed_steps=chunk.committed_steps,
        inference_s=answer.inference_s,
        stage_names=list(chunk.timing),
        stage_s=[float(seconds) for seconds in chunk.timing.values()],
    )
    message.header.frame_id = frame.frame_id
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(frame.stamp_ns, 1_000_000_000)
    return message
