"""`replay_episode`: an episode's commands on the robot again, through retargeting, executor and guard.

ros2 run vitra_teleop replay_episode runs/episodes/episode_000001__wave --speed 0.5      (arm the robot first)
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import rclpy
import tyro

from vitra_description.calibration import Calibration, calibration_path, load_calibration
from vitra_msgs.msg import HandActionChunk, SafetyState
from vitra_policy.action_space import Side
from vitra_policy.errors import VitraError
from vitra_runtime import qos
from vitra_runtime.identity import new_identity
from vitra_runtime.polling import PolledTopic, PolledTopics
from vitra_runtime.timing import Ticker
from vitra_teleop.chunk_message import ChunkLabel, fill_chunk
from vitra_teleop.follower import SpeedLimits
from vitra_teleop.hands import TeleopError
from vitra_teleop.joint_topics import JointTopics
from vitra_teleop.player import PathPlayer, PlayerSettings, Stage
from vitra_teleop.recorded_path import read_path
from vitra_teleop.robot_state import RobotState

_WAIT_S = 10.0
_LOOK_S = 0.05
_SILENCE_S = 0.3


@dataclass(frozen=True)
class Args:
    """Replay a recorded episode on the robot."""

    bag: Annotated[Path, tyro.conf.Positional]
    """Episode to replay."""
    speed: float = 1.0
    """Share of the recorded speed, above 0 up to 1.5."""
    calibration: str = "sim"
    """Calibration of the robot that replays."""
    approach_m_s: float = 0.1
    """Wrist speed on the way to the start."""


def main(arguments: list[str] | None = None) -> int:
    """Approach, play, report; exit code 0 when the end was reached."""
    args = tyro.cli(Args, prog="replay_episode", args=arguments, description=__doc__)
    try:
        return _replay(args)
    except VitraError as error:
        sys.stderr.write(f"replay_episode: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        rclpy.try_shutdown()


def _replay(args: Args) -> int:
    if not 0.0 < args.speed <= 1.5:
        raise TeleopError(f"speed is {args.speed:g}, allowed is above 0 up to 1.5.")
    name = args.calibration
    calibration = load_calibration(calibration_path(name))
    path = read_path(args.bag, calibration)
    sides = tuple(path.wrists)
    rclpy.init()
    node = rclpy.create_node("replay_episode")
    robot = Robot(node, sides, calibration)
    robot.wait()
    settings = PlayerSettings(speed=args.speed, approach=SpeedLimits(args.approach_m_s, 4 * args.approach_m_s, 1.5))
    player = PathPlayer(path, settings)
    chunks = node.create_publisher(HandActionChunk, "hand_action_chunk", qos.CHUNK)
    ticker, sequence, stage, identity = Ticker(settings.step_s), 0, "", new_identity()
    while player.stage not in (Stage.DONE, Stage.FAILED):
        ticker.wait()
        stamp_s, refused = robot.look()
        chunk = player.tick(stamp_s, robot.state.at(stamp_s), refused)
        if player.stage != stage:
            stage = player.stage
            node.get_logger().info(f"{stage} {player.detail}".strip())
        if chunk is not None:
            sequence += 1
            chunks.publish(
                fill_chunk(
                    HandActionChunk(publisher=identity),
                    chunk,
                    label=ChunkLabel(
                        stamp_s=stamp_s,
                        sequence=sequence,
                        step_s=settings.step_s,
                        source_id=f"replay:{args.bag.name}",
                        instruction=path.instruction,
                    ),
                )  # fmt: skip
            )
    robot.close()
    node.destroy_node()
    return 0 if player.stage is Stage.DONE else 1


class Robot:
    """What a replay must know of the robot.

    Args:
        node: whose names are used.
        sides: arms that replay.
        calibration: of the robot.
    """

    def __init__(self, node: Any, sides: tuple[Side, ...], calibration: Calibration) -> None:
        self.state = RobotState(sides, calibration)
        self._clock, self._armed = node.get_clock(), False
        self._polled = PolledTopics(node, "robot")
        self._joints = JointTopics(self._polled, sides)
        self._safety: PolledTopic = self._polled.subscribe(SafetyState, "safety_state", qos.LATCHED)

    def look(self) -> tuple[float, str]:
        """Time up to which all joints are known, and why the robot must not move (empty if it may)."""
        self._read()
        stamp_s = self.state.newest_common_s
        assert stamp_s is not None
        if not self._armed:
            return stamp_s, "the robot was stopped"
        silent = self._clock.now().nanoseconds * 1e-9 - stamp_s > _SILENCE_S
        return stamp_s, "the robot's joints are not heard any more" if silent else ""

    def wait(self) -> None:
        """Until the robot is armed and its joints are heard.

        Raises:
            TeleopError: not within some seconds.
        """
        deadline_s = time.monotonic() + _WAIT_S
        while time.monotonic() < deadline_s:
            self._read()
            if self.state.newest_common_s is not None and self._armed:
                return
            time.sleep(_LOOK_S)
        heard = self.state.newest_common_s is not None
        lacking = "the robot is not armed (safety_supervisor/rearm)" if heard else "no joint states"
        raise TeleopError(f"Cannot replay: {lacking}.")

    def close(self) -> None:
        """Hear nothing more."""
        self._polled.close()

    def _read(self) -> None:
        self._joints.fetch(self.state)
        for message, _ in self._safety.take():
            self._armed = message.state == SafetyState.ARMED


if __name__ == "__main__":
    sys.exit(main())
