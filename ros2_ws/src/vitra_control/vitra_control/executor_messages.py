"""Messages of the executor: chunks become steps, setpoints become commands, the generator becomes a state."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_control.clock import ClockBridge
from vitra_control.generator import SetpointGenerator
from vitra_control.setpoints import Mode, Setpoints
from vitra_msgs.msg import ArmCommand, ExecutorState, HandCommand, RobotChunk
from vitra_policy.action_space import SIDES, Side
from vitra_policy.chunks.curve import StepsError, TimedSteps
from vitra_policy.chunks.timeline import Phase, Verdict
from vitra_runtime import qos
from vitra_runtime.identity import new_identity
from vitra_runtime.node import StackNode
from vitra_runtime.timing import stamp_now

_STATES = {
    Phase.HOLDING: ExecutorState.HOLDING,
    Phase.TRACKING: ExecutorState.TRACKING,
    Phase.DECELERATING: ExecutorState.DECELERATING,
}
_BUSY = {Mode.HOMING: ExecutorState.HOMING, Mode.TRAJECTORY: ExecutorState.TRAJECTORY}


def timed_steps(message: RobotChunk, stamp_s: float) -> dict[Side, TimedSteps]:
    """The steps of the valid sides, stamped in monotonic time.

    Raises:
        StepsError: for arrays whose length is not `steps` times 7 or 12, or no valid side.
    """
    chunk: dict[Side, TimedSteps] = {}
    for side in SIDES:
        if getattr(message, f"{side}_valid"):
            wrist = _rows(message, f"{side}_wrist", 7)
            hand = _rows(message, f"{side}_hand", 12)
            values = np.concatenate([wrist, hand], axis=1)
            chunk[side] = TimedSteps(message.sequence, stamp_s, message.step_s, values)
    if not chunk:
        raise StepsError(f"Chunk {message.sequence}: neither left_valid nor right_valid is set.")
    return chunk


def _rows(message: RobotChunk, field: str, width: int) -> NDArray[np.float64]:
    values = np.asarray(getattr(message, field), dtype=np.float64)
    if message.steps < 1 or values.size != message.steps * width:
        raise StepsError(
            f"Chunk {message.sequence}: {field} has {values.size} numbers, {message.steps} steps need "
            f"{message.steps} x {width}."
        )
    return values.reshape(message.steps, width)


def state_message(generator: SetpointGenerator, setpoint_hz: float, clocks: ClockBridge) -> ExecutorState:
    """What the executor says of itself, 30 times a second, but for the moves to the ready posture.

    Args:
        generator: Says what it does.
        setpoint_hz: How many setpoints leave in a second.
        clocks: Times of the generator are monotonic, those of a message are not.
    """
    sample, limit = generator.newest_sample(), generator.limits()
    message = ExecutorState(
        state=ExecutorState.HOLDING,
        starved=generator.starved,
        late_chunks=generator.count([Verdict.LATE]),
        in_limit=bool(limit),
        limit=limit,
        setpoint_hz=setpoint_hz,
    )
    stamp_now(message.header.stamp)
    if generator.mode in (Mode.IDLE, Mode.SEEDING):
        message.state = ExecutorState.IDLE
    elif generator.mode in _BUSY:
        message.state = _BUSY[generator.mode]
    elif generator.mode is Mode.FOLLOWING and sample is not None:
        message.state = _STATES[sample.phase]
        message.chunk_sequence = sample.sequence
        stamp_s = clocks.system_s(sample.stamp_s)
        message.chunk_stamp.sec, message.chunk_stamp.nanosec = int(stamp_s), int(stamp_s % 1 * 1e9)
        message.position_steps, message.first_step = sample.position_steps, sample.first_step
        message.observation_to_setpoint_s = sample.delay_s
    return message


class CommandPublishers:
    """Commands to the drivers, counted from 1 and signed with one identity.

    Args:
        node: Publishes them.
        sides: Arms with their hands.
    """

    def __init__(self, node: StackNode[Any], sides: Sequence[Side]) -> None:
        self._arm_sequence = self._hand_sequence = 0
        identity = new_identity()
        self._arm_commands = {side: ArmCommand(source=identity) for side in sides}
        self._hand_commands = {side: HandCommand(source=identity) for side in sides}
        self._arm_publishers = {
            side: node.stream_publisher(ArmCommand, f"{side}_arm/command", qos.SETPOINT) for side in sides
        }
        self._hand_publishers = {
            side: node.stream_publisher(HandCommand, f"{side}_hand/command", qos.SETPOINT) for side in sides
        }

    def send(self, setpoints: Setpoints) -> None:
        """One command for each arm, and for each hand where it is its turn."""
        second, nanosecond = divmod(time.time_ns(), 1_000_000_000)
        self._arm_sequence += 1
        for side, position in setpoints.arms.items():
            command = self._arm_commands[side]
            command.header.stamp.sec, command.header.stamp.nanosec = second, nanosecond
            command.sequence, command.epoch, command.position_rad = self._arm_sequence, setpoints.epoch, position
            self._arm_publishers[side].publish(command)
        self._hand_sequence += bool(setpoints.hands)
        for side, position in setpoints.hands.items():
            command = self._hand_commands[side]
            command.header.stamp.sec, command.header.stamp.nanosec = second, nanosecond
            command.sequence, command.epoch, command.position_rad = self._hand_sequence, setpoints.epoch, position
            self._hand_publishers[side].publish(command)
