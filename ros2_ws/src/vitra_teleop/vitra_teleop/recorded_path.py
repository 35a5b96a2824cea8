"""The commands of a recorded episode as hand paths that can be asked of the robot again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vitra_description.calibration import Calibration
from vitra_description.observed_wrist import ObservedWrist
from vitra_policy.action_space import SIDES, Side
from vitra_policy.bag_storage import open_bag
from vitra_policy.transforms import interpolate_pose
from vitra_teleop.follower import HandPose
from vitra_teleop.hands import Array, TeleopError

_PERIOD_S = 1 / 60


class EpisodeError(TeleopError):
    """A bag whose commands cannot be replayed."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedPath:
    """Commanded hands over time."""

    times_s: Array
    """(N,) from 0, evenly spaced."""
    wrists: Mapping[Side, Array]
    """(N, 4, 4) in the head camera's frame."""
    joints_rad: Mapping[Side, Array]
    """(N, 12)."""
    instruction: str = ""

    @property
    def duration_s(self) -> float:
        """From the first to the last command."""
        return float(self.times_s[-1])

    def at(self, side: Side, time_s: float) -> HandPose:
        """Interpolated pose, clamped to the ends."""
        where = float(np.clip(time_s / _PERIOD_S, 0, len(self.times_s) - 1))
        row = min(int(where), len(self.times_s) - 2)
        part, joints = where - row, self.joints_rad[side]
        wrist = interpolate_pose(self.wrists[side][row], self.wrists[side][row + 1], np.asarray(part))
        return HandPose(wrist, joints[row] + part * (joints[row + 1] - joints[row]))


def read_path(bag: str | Path, calibration: Calibration) -> RecordedPath:
    """Commands of all arms of a bag, by forward kinematics of the robot that is to repeat them.

    Raises:
        EpisodeError: no bag, cut off, or nothing was commanded.
    """
    commands, instruction = _read(Path(bag))
    arms: list[Side] = [side for side in SIDES if len(commands.get(f"{side}_arm", ())) > 1]
    if not arms:
        raise EpisodeError(f"{bag} holds no arm commands (*_arm/command): the robot was not moved by this stack in it.")
    begin_s = max(commands[f"{side}_arm"][0][0] for side in arms)
    end_s = min(commands[f"{side}_arm"][-1][0] for side in arms)
    if end_s - begin_s < 2 * _PERIOD_S:
        raise EpisodeError(f"{bag}: the arms were commanded for {end_s - begin_s:.2f} s together; nothing to replay.")
    times = np.arange(0.0, end_s - begin_s, _PERIOD_S)
    observed = ObservedWrist(calibration, arms)
    wrists, joints = {}, {}
    for side in arms:
        arm = _as_of(commands[f"{side}_arm"], begin_s + times)
        wrists[side] = np.stack([observed(side, q) for q in arm])
        hand = commands.get(f"{side}_hand", [])
        joints[side] = _as_of(hand, begin_s + times) if hand else np.zeros((len(times), 12))
    return RecordedPath(times, wrists, joints, instruction)


def _read(bag: Path) -> tuple[dict[str, list[tuple[float, Array]]], str]:
    commands: dict[str, list[tuple[float, Array]]] = {}
    instruction = ""
    try:
        with open_bag(bag) as reader:
            endings = ("_arm/command", "_hand/command", "/instruction")
            wanted = [c for c in reader.connections if c.topic.endswith(endings)]
            for connection, _, raw in reader.messages(wanted) if wanted else ():
                message: Any = reader.deserialize(raw, connection.msgtype)
                if connection.topic.endswith("instruction"):
                    instruction = message.data or instruction
                    continue
                stamp = message.header.stamp
                stream = connection.topic.split("/")[-2]
                values = np.asarray(message.position_rad, dtype=np.float64)
                commands.setdefault(stream, []).append((stamp.sec + stamp.nanosec * 1e-9, values))
    except Exception as error:  # rosbags raises a different error for every way a bag can be broken
        raise EpisodeError(f"Cannot read the bag {bag}: {error}. Try `vitra-bag repair {bag}`.") from error
    return commands, instruction


def _as_of(samples: list[tuple[float, Array]], times_s: Array) -> Array:
    stamps = np.array([stamp for stamp, _ in samples])
    row = np.clip(np.searchsorted(stamps, times_s, side="right") - 1, 0, len(samples) - 1)
    return np.stack([samples[i][1] for i in row])
