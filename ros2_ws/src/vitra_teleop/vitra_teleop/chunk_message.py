"""Numbers of a chunk as the message that a policy would send."""

from __future__ import annotations

import array
from dataclasses import dataclass
from typing import Any

import numpy as np

from vitra_description.names import CAMERA_FRAME
from vitra_teleop.session import TeleopChunk


@dataclass(frozen=True, slots=True)
class ChunkLabel:
    """What a message says about its chunk."""

    stamp_s: float
    """When the hands were measured, ROS time."""
    sequence: int
    """Counts up."""
    step_s: float
    """Duration of a step."""
    source_id: str
    """Which operator, input or recording."""
    instruction: str
    """What is demonstrated."""


def fill_chunk(message: Any, chunk: TeleopChunk, label: ChunkLabel) -> Any:
    """Fill a HandActionChunk.

    Args:
        message: Changed in place.
        chunk: Actions of both hands.
        label: Time, number and source.
    """
    message.header.frame_id = CAMERA_FRAME
    stamp_ns = round(label.stamp_s * 1e9)
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
    message.sequence, message.step_s, message.steps = label.sequence, float(label.step_s), len(chunk.actions)
    message.actions = array.array("f", np.ascontiguousarray(chunk.actions, dtype=np.float32).tobytes())
    message.observed = chunk.observed
    message.left_valid, message.right_valid = bool(chunk.valid[0]), bool(chunk.valid[1])
    message.source, message.policy_id, message.instruction = "teleop", label.source_id, label.instruction
    return message
