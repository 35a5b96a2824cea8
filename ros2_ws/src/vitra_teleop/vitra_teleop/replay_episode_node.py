"""`replay_episode`: an episode's commands on the robot again, through retargeting, executor and guard.

ros2 run vitra_teleop replay_episode --bag runs/episodes/episode_000001__wave --speed 0.5      (arm the robot first)
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import rclpy
import tyro
from sensor_msgs.msg import JointState

from vitra_description.calibration import calibration_path, load_calibration
from vitra_msgs.msg import HandActionChunk, SafetyState
from vitra_policy.errors import VitraError
from vitra_runtime import qos
from vitra_runtime.timing import stamp_to_s
from vitra_teleop.chunk_message import fill_chunk
from vitra_teleop.follower import SpeedLimits
from vitra_teleop.hands import TeleopError
from vitra_teleop.player import PathPlayer, PlayerSettings, Stage
from vitra_teleop.recorded_path import read_path
from vitra_teleop.robot_state import RobotState

_WAIT_S = 10.0


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
    args = tyro.cli(Args, args=arguments, description=__doc__)
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
    calibration = load_calibration(Path(name) if name.endswith((".yaml", ".yml")) else calibration_path(name))
    path = read_path(args.bag, calibration)
    sides = tuple(path.wrists)
    robot, safety = RobotState(sides, calibration), {"state": -1}
    rclpy.init()
    node = rclpy.create_node("replay_episode")
    chunks = node.create_publisher(HandActionChunk, "hand_action_chunk", qos.CHUNK)

    def on_joints(stream: str, message: JointState) -> None:
        robot.add(stream, stamp_to_s(message.header.stamp), message.name, message.position)

    def on_safety(message: SafetyState) -> None:
        safety["state"] = message.state

    for side in sides:
        for part in ("arm", "hand"):
            stream = f"{side}_{part}"
            node.create_subscription(JointState, f"{stream}/joint_states", partial(on_joints, stream), qos.SENSOR)
    node.create_subscription(SafetyState, "safety_state", on_safety, qos.LATCHED)
    _wait(node, robot, safety)
    settings = PlayerSettings(speed=args.speed, approach=SpeedLimits(args.approach_m_s, 4 * args.approach_m_s, 1.5))
    player = PathPlayer(path, settings)
    sequence, stage = 0, ""
    next_s = time.monotonic()
    while player.stage not in (Stage.DONE, Stage.FAILED):
        next_s += settings.step_s
        while time.monotonic() < next_s:
            rclpy.spin_once(node, timeout_sec=max(0.0, next_s - time.monotonic()))
        stamp_s = robot.newest_common_s
        assert stamp_s is not None
        refused = "" if safety["state"] == SafetyState.ARMED else "the robot was stopped"
        if node.get_clock().now().nanoseconds * 1e-9 - stamp_s > 0.2:
            refused = refused or "the robot's joints are not heard any more"
        chunk = player.tick(stamp_s, robot.at(stamp_s), refused)
        if player.stage != stage:
            stage = player.stage
            node.get_logger().info(f"{stage} {player.detail}".strip())
        if chunk is not None:
            sequence += 1
            chunks.publish(
                fill_chunk(
                    HandActionChunk(),
                    chunk,
                    stamp_s=stamp_s,
                    sequence=sequence,
                    step_s=settings.step_s,
                    source_id=f"replay:{args.bag.name}",
                    instruction=path.instruction,
                )  # fmt: skip
            )
    node.destroy_node()
    return 0 if player.stage is Stage.DONE else 1


def _wait(node: Any, robot: RobotState, safety: dict[str, int]) -> None:
    deadline_s = time.monotonic() + _WAIT_S
    while time.monotonic() < deadline_s:
        rclpy.spin_once(node, timeout_sec=0.05)
        if robot.newest_common_s is not None and safety["state"] == SafetyState.ARMED:
            return
    lacking = "the robot is not armed (safety_supervisor/rearm)" if robot.newest_common_s else "no joint states"
    raise TeleopError(f"Cannot replay: {lacking}.")


if __name__ == "__main__":
    sys.exit(main())
