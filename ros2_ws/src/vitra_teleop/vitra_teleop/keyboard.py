"""What keys do to the jogged hand; messages of the wire format come out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vitra_policy.transforms import quaternion_from_matrix
from vitra_teleop.hands import Action
from vitra_teleop.jog import Jog
from vitra_teleop.keys import BY_KEY, STOP_KEY, Key
from vitra_teleop.wire import encode


def stop_first(typed: str) -> str:
    """Keys in the order to obey them: a STOP before all else, and nothing that was typed before it."""
    return typed if STOP_KEY not in typed else STOP_KEY + typed.rsplit(STOP_KEY, 1)[1]


@dataclass(slots=True)
class KeyboardHand:
    """State of the keyboard operator's hand; use axes `base`."""

    side: str
    step_m: float = 0.01
    step_rad: float = 0.05
    jog: Jog = field(default_factory=Jog)
    engaged: bool = False
    sequence: int = 0
    only_control: bool = False
    """Send orders and no hand, beside another tracker."""

    def press(self, text: str) -> Key | None:
        """A key was pressed; returns what it stands for, None for a key without meaning."""
        key = BY_KEY.get(text)
        if key is None:
            return None
        if key.engage:
            self.engaged = not self.engaged
        if key.preset is not None:
            self.jog.take(key.preset)
        if key.move is not None:
            self.jog.move(self.step_m * np.asarray(key.move, dtype=np.float64), np.zeros(3))
        if key.turn is not None:
            self.jog.move(np.zeros(3), self.step_rad * np.asarray(key.turn, dtype=np.float64))
        return key

    def message(self, stamp_s: float, actions: tuple[Action, ...] = ()) -> bytes:
        """The hand now, as a wire message."""
        self.sequence += 1
        pose = self.jog.pose
        wrist = {"position_m": pose[:3, 3], "quaternion_xyzw": quaternion_from_matrix(pose[:3, :3])}
        hand = {"valid": True, "engage": self.engaged, "wrist": wrist, "joints_rad": self.jog.joints_rad}
        return encode(self.sequence, stamp_s, {} if self.only_control else {self.side: hand}, actions)
