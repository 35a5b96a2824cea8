"""Numbers of a chunk as the message that a policy would send."""

from __future__ import annotations

import array
from typing import Any

import numpy as np

from vitra_description.names import CAMERA_FRAME
from vitra_teleop.session import TeleopChunk


def fill_chunk(
    message: Any, chunk: TeleopChunk, *, stamp_s: float, sequence: int, step_s: float, source_id: str, instruction: str
) -> Any:
    """Fill a HandActionChunk; its stamp is the time of the measured hands."""
    message.header.frame_id = CAMERA_FRAME
    stamp_ns = round(stamp_s * 1e9)
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
    message.sequence, message.step_s, message.steps = sequence, float(step_s), len(chunk.actions)
    message.actions = array.array("f", np.ascontiguousarray(chunk.actions, dtype=np.float32).tobytes())
    message.observed = chunk.observed
    message.left_valid, message.right_valid = bool(chunk.valid[0]), bool(chunk.valid[1])
    message.source, message.policy_id, message.instruction = "teleop", source_id, instruction
    return message
