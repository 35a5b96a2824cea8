"""Whether the arms follow their setpoints, judged by their tracking error."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from vitra_control.setpoints import Feedback
from vitra_control.settings import GeneratorSettings
from vitra_policy.action_space import Side
from vitra_safety.guard import Array

CONSECUTIVE_ERRORS = 3
"""So many checks in a row find an arm too far away before it counts: one late feedback is none."""


class TrackingWatch:
    """Counts, for each side, the checks in a row in which the arm was too far from its setpoint.

    Args:
        sides: The arms that are driven.
        settings: Says how far is too far, and which feedback is too old to judge by.
        feedback: Gives the newest measured joints of a side, or None.
    """

    def __init__(
        self, sides: Iterable[Side], settings: GeneratorSettings, feedback: Callable[[Side], Feedback | None]
    ) -> None:
        self._settings, self._feedback = settings, feedback
        self._errors = dict.fromkeys(sides, 0)

    def reset(self) -> None:
        """Forget what was counted."""
        self._errors = dict.fromkeys(self._errors, 0)

    def lost(self, position_rad: Callable[[Side], Array]) -> str:
        """Check every side once: which arm does not follow, in words; empty if all do.

        Args:
            position_rad: Gives the arm setpoint (7,) of a side.
        """
        for side in self._errors:
            feedback = self._feedback(side)
            if feedback is None or feedback.age_s > self._settings.feedback_timeout_s:
                continue  # the driver's own business; it stops by itself
            error_rad = float(np.abs(feedback.arm_rad - position_rad(side)).max())
            too_far = error_rad > self._settings.max_tracking_error_rad
            self._errors[side] = self._errors[side] + 1 if too_far else 0
            if self._errors[side] >= CONSECUTIVE_ERRORS:
                return f"{side}: the arm does not follow ({error_rad:.2f} rad away)"
        return ""

    def offsets_rad(self, position_rad: Callable[[Side], Array]) -> dict[Side, Array]:
        """Measured joints minus setpoints (7,), by side; a side whose feedback is too old is left out.

        Args:
            position_rad: Gives the arm setpoint (7,) of a side.
        """
        feedback = {side: self._feedback(side) for side in self._errors}
        timeout_s = self._settings.feedback_timeout_s
        return {
            side: found.arm_rad - position_rad(side)
            for side, found in feedback.items()
            if found is not None and found.age_s <= timeout_s
        }
