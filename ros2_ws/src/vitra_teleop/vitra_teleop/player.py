"""Plays a recorded path: first slowly to its start, then along it; gives up when the robot is elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from vitra_policy.action_space import Side
from vitra_policy.policies.observation import HandStates
from vitra_policy.transforms import rotation_angle
from vitra_teleop.follower import Follower, HandPose, SpeedLimits
from vitra_teleop.hands import Array
from vitra_teleop.recorded_path import RecordedPath
from vitra_teleop.session import TeleopChunk, chunk_of, measured_pose


class Stage(StrEnum):
    """What it is doing."""

    APPROACH = "approaching the start"
    PLAY = "playing"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PlayerSettings:
    """Limits of a replay."""

    speed: float = 1.0
    """Share of the recorded speed."""
    steps: int = 16
    step_s: float = 1 / 30
    approach: SpeedLimits = SpeedLimits(wrist_m_s=0.1, wrist_rad_s=0.4, fingers_rad_s=1.5)
    arrived_m: float = 0.02
    """The start is reached when the measured wrist is so near ..."""
    arrived_rad: float = 0.1
    """... and turned like it so exactly."""
    settle_s: float = 0.5
    """For so long."""
    approach_s: float = 30.0
    """Longest time to the start."""
    lost_m: float = 0.10
    """A wrist so far from its path is not following."""
    unmeasured_s: float = 0.3
    """A hand that is not measured for so long ends the replay; before, the last chunk carries on."""


class PathPlayer:
    """One replay; `tick` at the rate of chunks.

    Args:
        path: what to play.
        settings: limits.
    """

    def __init__(self, path: RecordedPath, settings: PlayerSettings | None = None) -> None:
        self._path, self._settings = path, settings or PlayerSettings()
        self.stage, self.detail = Stage.APPROACH, ""
        self._followers: dict[Side, Follower] = {}
        self._begin_s = self._near_since_s = self._play_s = self._last_s = self._measured_s = 0.0

    @property
    def played_s(self) -> float:
        """Time of the recording that was reached."""
        return self._play_s

    def tick(self, now_s: float, robot: HandStates, refused: str = "") -> TeleopChunk | None:
        """The next chunk; None when it is over, or for a moment without measurement.

        Args:
            now_s: time of `robot`.
            robot: measured hands.
            refused: why the robot must not move, empty if it may.
        """
        if self.stage in (Stage.DONE, Stage.FAILED):
            return None
        measured = {side: measured_pose(robot, side) for side in self._path.wrists}
        unknown = [str(side) for side, pose in measured.items() if pose is None]
        if not unknown:
            self._measured_s = now_s
        self._measured_s = self._measured_s or now_s
        if refused or now_s - self._measured_s > self._settings.unmeasured_s:
            self._fail(refused or f"the {' and '.join(unknown)} hand is not measured any more")
            return None
        if unknown:
            return None
        known = {side: pose for side, pose in measured.items() if pose is not None}
        if not self._followers:
            self._followers = {side: Follower(pose, self._settings.approach) for side, pose in known.items()}
            self._begin_s = self._last_s = now_s
        elapsed_s, self._last_s = now_s - self._last_s, now_s
        if self.stage is Stage.APPROACH:
            plans = self._approach(now_s, elapsed_s, known)
        else:
            plans = self._play(elapsed_s, known)
        return chunk_of(plans, robot) if plans else None

    def _approach(
        self, now_s: float, elapsed_s: float, measured: dict[Side, HandPose]
    ) -> dict[Side, tuple[Array, Array]] | None:
        s = self._settings
        starts = {side: self._path.at(side, 0.0) for side in measured}
        near = all(_is_near(measured[side], start, s) for side, start in starts.items())
        self._near_since_s = self._near_since_s or now_s if near else 0.0
        if near and now_s - self._near_since_s >= s.settle_s:
            self.stage = Stage.PLAY
        elif now_s - self._begin_s > s.approach_s:
            self._fail(f"the start was not reached within {s.approach_s:g} s; something is in the way or out of reach")
            return None
        plans = {}
        for side, follower in self._followers.items():
            follower.advance(starts[side], elapsed_s)
            plans[side] = follower.ahead(starts[side], s.steps, s.step_s)
        return plans

    def _play(self, elapsed_s: float, measured: dict[Side, HandPose]) -> dict[Side, tuple[Array, Array]] | None:
        s = self._settings
        self._play_s += elapsed_s * s.speed
        for side, pose in measured.items():
            lag = np.linspace(self._play_s - 0.4 * s.speed, self._play_s, 9)
            off_m = min(float(np.linalg.norm(pose.wrist[:3, 3] - self._path.at(side, t).wrist[:3, 3])) for t in lag)
            if off_m > s.lost_m:
                self._fail(f"the {side} wrist is {off_m * 100:.0f} cm from its path at {self._play_s:.1f} s")
                return None
        if self._play_s >= self._path.duration_s:
            self.stage = Stage.DONE
        ahead = self._play_s + s.speed * s.step_s * np.arange(1, s.steps + 1)
        plans = {}
        for side in measured:
            poses = [self._path.at(side, float(t)) for t in ahead]
            plans[side] = (np.stack([p.wrist for p in poses]), np.stack([p.joints_rad for p in poses]))
        return plans

    def _fail(self, detail: str) -> None:
        self.stage, self.detail = Stage.FAILED, detail


def _is_near(pose: HandPose, target: HandPose, settings: PlayerSettings) -> bool:
    distance = np.linalg.norm(pose.wrist[:3, 3] - target.wrist[:3, 3])
    angle = rotation_angle(pose.wrist[:3, :3] @ target.wrist[:3, :3].T)
    return bool(distance < settings.arrived_m and angle < settings.arrived_rad)
