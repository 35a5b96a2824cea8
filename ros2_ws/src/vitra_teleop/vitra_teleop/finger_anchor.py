"""Fingers are anchored as the wrist is: engaging moves none, and only the operator's own motion closes the gap."""

from __future__ import annotations

import numpy as np

from vitra_teleop.hands import Array


class FingerAnchor:
    """The distance between the robot's fingers and the operator's at the moment of engaging, used up as he moves.

    Args:
        robot_rad: (12,) where the robot's fingers are.
        operator_rad: (12,) what the operator's fingers ask for.
        pace: How much of the distance goes for each radian that the operator moves a joint.
    """

    def __init__(self, robot_rad: Array, operator_rad: Array, pace: float = 1.0) -> None:
        self._offset: Array = robot_rad - operator_rad
        self._last, self._pace = operator_rad.copy(), pace

    def __call__(self, operator_rad: Array) -> Array:
        """What to ask of the robot, (12,)."""
        moved = self._pace * np.abs(operator_rad - self._last)
        self._offset = np.sign(self._offset) * np.maximum(np.abs(self._offset) - moved, 0.0)
        self._last = operator_rad.copy()
        return np.asarray(operator_rad + self._offset)
