"""The clutch: the robot follows the operator's wrist only while engaged, and never jumps to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from vitra_policy.transforms import make_pose
from vitra_teleop.hands import Array, TrackedHand


class ClutchState(StrEnum):
    """What the robot does."""

    RELEASED = "released"
    """Nothing; the operator may move to a comfortable place."""
    ENGAGED = "engaged"
    """It follows."""
    LOST = "lost"
    """It held because tracking failed or motion was not allowed; the operator has to let go and engage again."""


@dataclass(frozen=True, slots=True)
class ClutchSettings:
    """How wrist motion is carried over."""

    scale: float = 1.0
    """Robot translation per operator translation; rotation is never scaled."""
    jump_m: float = 0.15
    """A tracked wrist that moves more between two frames has been confused with something else."""
    jump_rad: float = 1.2
    """The same for its rotation."""


class Clutch:
    """Relative wrist control of one hand.

    Args:
        camera_from_tracker: (3, 3) rotation of the tracker's axes into the robot's head camera.
        settings: scaling and limits.
    """

    def __init__(self, camera_from_tracker: Array, settings: ClutchSettings | None = None) -> None:
        self._R, self._settings = np.asarray(camera_from_tracker, dtype=np.float64), settings or ClutchSettings()
        self.state = ClutchState.RELEASED
        self.reason = ""
        """Why it was lost."""
        self._hand_anchor, self._robot_anchor, self._last = np.eye(4), np.eye(4), np.eye(4)

    def update(self, hand: TrackedHand | None, robot: Array | None, refused: str = "") -> Array | None:
        """One frame.

        Args:
            hand: the operator's hand; None when nothing is tracked any more.
            robot: (4, 4) measured wrist of the robot in the camera frame; None when unknown.
            refused: why the robot must not move, empty if it may.

        Returns:
            (4, 4) where the robot's wrist should be, in the camera frame; None unless engaged.
        """
        why = refused
        if not why and (hand is None or not hand.valid):
            why = "the hand is not tracked"
        if not why and robot is None:
            why = "the robot's wrist is not known"
        if why or hand is None:
            if self.state is ClutchState.ENGAGED:
                self._lose(why)
            elif self.state is ClutchState.RELEASED and hand is not None and hand.engage:
                self._lose(why)  # an engagement that begins while it may not counts as used up
            return None
        if not hand.engage:
            self.state, self.reason = ClutchState.RELEASED, ""
            return None
        if self.state is ClutchState.LOST:
            return None
        pose = hand.tracker_from_wrist
        if self.state is ClutchState.RELEASED:
            assert robot is not None
            self.state = ClutchState.ENGAGED
            self._hand_anchor, self._robot_anchor = pose.copy(), robot.copy()
        elif self._jumped(pose):
            self._lose("the tracked wrist jumped")
            return None
        self._last = pose
        return self._target(pose)

    def _target(self, pose: Array) -> Array:
        moved = self._settings.scale * (self._R @ (pose[:3, 3] - self._hand_anchor[:3, 3]))
        turned = self._R @ pose[:3, :3] @ self._hand_anchor[:3, :3].T @ self._R.T
        return make_pose(self._robot_anchor[:3, 3] + moved, turned @ self._robot_anchor[:3, :3])

    def _jumped(self, pose: Array) -> bool:
        distance = float(np.linalg.norm(pose[:3, 3] - self._last[:3, 3]))
        cosine = (np.trace(pose[:3, :3] @ self._last[:3, :3].T) - 1) / 2
        angle = float(np.arccos(np.clip(cosine, -1.0, 1.0)))
        return distance > self._settings.jump_m or angle > self._settings.jump_rad

    def _lose(self, why: str) -> None:
        self.state, self.reason = ClutchState.LOST, why
