"""One teleoperation: tracked hands and the measured robot in, chunks out; free of ROS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import ACTION_DIM, FINGERS, HAND, ROTATION, SIDES, TRANSLATION, WRIST, Side
from vitra_policy.hand.xhand_map import mano_from_xhand, xhand_from_mano
from vitra_policy.policies.observation import HandStates
from vitra_policy.transforms import delta_wrist, make_pose, matrix_from_euler_xyz
from vitra_teleop.clutch import Clutch, ClutchSettings, ClutchState
from vitra_teleop.finger_anchor import FingerAnchor
from vitra_teleop.follower import Follower, HandPose, SpeedLimits
from vitra_teleop.hands import Array, HandFrame, TrackedHand
from vitra_teleop.retargeting import FingerRetargeter

HOLD_CHUNKS = 5
"""A hold is said so often: the newest chunk wins, and one could be lost."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Timing and limits of what is sent."""

    steps: int = 16
    step_s: float = 1 / 30
    stale_s: float = 0.1
    """A hand that was not heard of for so long is lost, even if nobody says so."""
    clutch: ClutchSettings = ClutchSettings()
    limits: SpeedLimits = SpeedLimits()


@dataclass(frozen=True, slots=True, eq=False)
class TeleopChunk:
    """Numbers of a HandActionChunk."""

    actions: Array
    """(steps, 102)."""
    observed: Array
    """(102,)."""
    valid: NDArray[np.bool_]
    """(2,)."""


class TeleopSession:
    """Clutch, retargeting and speed limits of all hands.

    Args:
        sides: hands the robot has.
        camera_from_tracker: (3, 3).
        retarget: fingers.
        settings: see there.
    """

    def __init__(
        self,
        sides: Sequence[Side],
        camera_from_tracker: Array,
        retarget: FingerRetargeter,
        settings: SessionSettings | None = None,
    ) -> None:
        self._settings, self._retarget = settings or SessionSettings(), retarget
        self.clutches = {side: Clutch(camera_from_tracker, self._settings.clutch) for side in sides}
        self._followers: dict[Side, Follower] = {}
        self._targets: dict[Side, HandPose] = {}
        self._anchors: dict[Side, FingerAnchor] = {}
        self._told: dict[Side, bool] = dict.fromkeys(sides, False)
        self._holds: dict[Side, int] = dict.fromkeys(sides, 0)
        self._frame: HandFrame | None = None
        self._last_s = 0.0

    def tick(self, now_s: float, frame: HandFrame | None, robot: HandStates, refused: str = "") -> TeleopChunk | None:
        """Called at the rate of chunks.

        Args:
            now_s: time of `robot`.
            frame: a new frame of tracked hands, if there is one.
            robot: measured hands now.
            refused: why the robot must not move, empty if it may.

        Returns:
            What to publish; None when no hand moves or has to be held.
        """
        elapsed_s, self._last_s = max(now_s - self._last_s, 0.0), now_s
        self._frame = frame or self._frame
        plans: dict[Side, tuple[Array, Array]] = {}
        for side in self.clutches:
            target = self._target(side, now_s, robot, refused, elapsed_s)
            if target is not None:
                follower = self._followers[side]
                plans[side] = follower.ahead(target, self._settings.steps, self._settings.step_s)
        return chunk_of(plans, robot) if plans else None

    def _target(self, side: Side, now_s: float, robot: HandStates, refused: str, elapsed_s: float) -> HandPose | None:
        clutch, measured = self.clutches[side], measured_pose(robot, side)
        hand = self._hand(side, now_s)
        was = clutch.state
        wrist = clutch.update(hand, None if measured is None else measured.wrist, refused)
        if wrist is None:
            if was is ClutchState.ENGAGED and side in self._followers:
                self._holds[side] = 0 if refused else HOLD_CHUNKS
                self._targets[side] = self._followers[side].pose
            if self._holds[side] > 0 and measured is not None and not refused:
                self._holds[side] -= 1
                return self._targets[side]
            return None
        assert measured is not None
        assert hand is not None
        if was is not ClutchState.ENGAGED:
            self._followers[side] = Follower(measured, self._settings.limits)
            self._targets[side] = measured
            self._anchors[side] = FingerAnchor(measured.joints_rad, self._fingers(side, hand))
        else:
            self._followers[side].advance(self._targets[side], elapsed_s)
            if _tells_fingers(hand) is not self._told[side]:
                self._anchors[side] = FingerAnchor(self._followers[side].pose.joints_rad, self._fingers(side, hand))
        self._told[side] = _tells_fingers(hand)
        self._holds[side] = 0
        self._targets[side] = HandPose(wrist, self._anchors[side](self._fingers(side, hand)))
        return self._targets[side]

    def _fingers(self, side: Side, hand: TrackedHand) -> Array:
        if hand.joints_rad is not None:
            return hand.joints_rad
        if hand.landmarks_m is not None:
            return self._retarget(side, hand.landmarks_m)
        return self._targets[side].joints_rad

    def _hand(self, side: Side, now_s: float) -> TrackedHand | None:
        frame = self._frame
        if frame is None or now_s - frame.stamp_s > self._settings.stale_s:
            return None
        return frame.hands.get(side)


def _tells_fingers(hand: TrackedHand) -> bool:
    return hand.joints_rad is not None or hand.landmarks_m is not None


def measured_pose(robot: HandStates, side: Side) -> HandPose | None:
    """Where a robot hand was measured; None when unknown."""
    if not robot.valid[SIDES.index(side)]:
        return None
    vector = robot.state[HAND[side]]
    wrist = make_pose(vector[TRANSLATION], matrix_from_euler_xyz(vector[ROTATION]))
    return HandPose(wrist, xhand_from_mano(vector[FINGERS]))


def chunk_of(plans: Mapping[Side, tuple[Array, Array]], robot: HandStates) -> TeleopChunk:
    """A chunk anchored at the measured hands whose steps are the given wrist poses and joints."""
    steps = len(next(iter(plans.values()))[0])
    actions, valid = np.zeros((steps, ACTION_DIM)), np.zeros(2, dtype=bool)
    for side, (wrists, joints) in plans.items():
        measured = measured_pose(robot, side)
        assert measured is not None
        hand = actions[:, HAND[side]]
        hand[:, WRIST] = delta_wrist(np.concatenate([measured.wrist[None], wrists]))
        hand[:, FINGERS] = mano_from_xhand(joints)
        valid[SIDES.index(side)] = True
    return TeleopChunk(actions, robot.state.copy(), valid)
