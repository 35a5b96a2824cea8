"""The retarget node: `hand_action_chunk` in, `robot_chunk` out.

ros2 run vitra_retarget retarget --ros-args -p calibration:=sim
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from vitra_description.calibration import calibration_path, load_calibration
from vitra_description.names import CAMERA_FRAME
from vitra_msgs.msg import HandActionChunk, RobotChunk
from vitra_policy.action_space import Side
from vitra_retarget.errors import ChunkRefusedError
from vitra_retarget.retarget import HandChunk, Retargeter, SideTargets
from vitra_runtime import qos
from vitra_runtime.diagnostics import OK, WARN, DiagnosticsPublisher
from vitra_runtime.identity import OneSource
from vitra_runtime.node import StackNode, run
from vitra_runtime.parameters import param

_WARN_PERIOD_S = 1.0


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters of the retarget node, read when it is configured."""

    calibration: str = param("sim", "Calibration: a name in config/calibration, or a path to a YAML file")
    camera_frame: str = param(CAMERA_FRAME, "Frame in which chunks must come")


class RetargetNode(StackNode[Parameters]):
    """Owns topics and counters; what is done to a chunk is in `retarget`."""

    def __init__(self) -> None:
        super().__init__("retarget", Parameters)
        self._retarget: Retargeter | None = None
        self.turned = 0
        self.clamped = 0
        self.refused: Counter[str] = Counter()
        self._sources, self._two_sources = OneSource(), False
        self._publisher = self.stream_publisher(RobotChunk, "robot_chunk", qos.CHUNK)
        self._diagnostics = DiagnosticsPublisher(self)
        self.create_subscription(HandActionChunk, "hand_action_chunk", self._on_chunk, qos.CHUNK)
        self.create_timer(1.0, self._report)
        self.create_timer(0.25, self._watch_sources)

    def setup(self) -> None:  # noqa: D102
        name = self.params.calibration
        path = calibration_path(name)
        self._retarget = Retargeter(load_calibration(path), self.params.camera_frame)

    def teardown(self) -> None:  # noqa: D102
        self._retarget = None

    def _on_chunk(self, message: HandActionChunk) -> None:
        now_s = time.monotonic()
        if self._retarget is None:
            return
        if not self._sources.admits(message.publisher, now_s):
            self.refused["second source"] += 1
            who = f"'{message.policy_id or message.source}' publishes hand_action_chunk beside another node"
            self._two_sources = True
            self.set_fault(f"a second source of chunks: {who}; end one of them", cause="second_source")
            return
        if not self.is_active:
            return
        try:
            targets = self._retarget(contents(message))
        except ChunkRefusedError as error:
            self.refused[error.cause] += 1
            self.get_logger().warning(
                f"chunk {message.sequence} of '{message.policy_id or message.source}' refused "
                f"({sum(self.refused.values())} so far): {error}",
                throttle_duration_sec=_WARN_PERIOD_S,
            )
            return
        self.turned += 1
        self.clamped += sum(side.clamped for side in targets.values())
        self._publisher.publish(robot_chunk(message, targets))

    def _watch_sources(self) -> None:
        if self._two_sources and not self._sources.has_second(time.monotonic()):
            self._two_sources = False
            self.set_fault("")

    def _report(self) -> None:
        refused = sum(self.refused.values())
        values: dict[str, Any] = {"turned": self.turned, "refused": refused, "clamped finger values": self.clamped}
        values |= {f"refused: {cause}": count for cause, count in self.refused.items()}
        said = f"{self.turned} turned, {refused} refused"
        self._diagnostics.publish("chunks", said, values, level=WARN if refused else OK)


def contents(message: HandActionChunk) -> HandChunk:
    """The message without ROS."""
    return HandChunk(
        frame_id=message.header.frame_id,
        steps=message.steps,
        step_s=message.step_s,
        actions=np.asarray(message.actions, dtype=np.float64),
        observed=np.asarray(message.observed, dtype=np.float64),
        left_valid=message.left_valid,
        right_valid=message.right_valid,
        source=message.source,
        instruction=message.instruction,
    )


def robot_chunk(message: HandActionChunk, targets: dict[Side, SideTargets]) -> RobotChunk:
    """The answer to a HandActionChunk."""
    chunk = RobotChunk(
        sequence=message.sequence,
        step_s=message.step_s,
        steps=message.steps,
        left_valid=Side.LEFT in targets,
        right_valid=Side.RIGHT in targets,
        source=message.source,
        policy_id=message.policy_id,
    )
    chunk.header.stamp = message.header.stamp
    for side, one in targets.items():
        setattr(chunk, f"{side}_wrist", one.wrist.ravel().tolist())
        setattr(chunk, f"{side}_hand", one.hand.ravel().tolist())
    return chunk


def main(args: list[str] | None = None) -> None:
    """Entry point."""
    sys.exit(run(RetargetNode, args))


if __name__ == "__main__":
    main()
