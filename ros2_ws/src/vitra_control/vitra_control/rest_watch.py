"""Whether the joints of all driven sides are heard of, and rest: what a beginning waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vitra_control.setpoints import Feedback
from vitra_control.settings import GeneratorSettings
from vitra_control.stillness import Stillness
from vitra_policy.action_space import Side


class RestWatch:
    """Looks at the measured joints while nothing is sent; without threads but for `unheard_s`.

    Args:
        sides: The arms that are driven.
        settings: How old a measurement may be, and what counts as rest.
        feedback: Gives the newest measured joints of a side, or None.

    Attributes:
        lacks: The side that was not heard of at the last look, in words.
    """

    def __init__(
        self, sides: Iterable[Side], settings: GeneratorSettings, feedback: Callable[[Side], Feedback | None]
    ) -> None:
        self.lacks = ""
        self._timeout_s, self._feedback = settings.feedback_timeout_s, feedback
        self._still = {side: Stillness(settings.still_rad, settings.still_s) for side in sides}
        self._unheard_since_s: float | None = None

    def restart(self) -> None:
        """What was measured so far does not count."""
        self._unheard_since_s = None
        for still in self._still.values():
            still.reset()

    def look(self, now_s: float) -> dict[Side, Feedback] | None:
        """The measured joints of all sides; None while one has no fresh ones."""
        measured: dict[Side, Feedback] = {}
        for side, still in self._still.items():
            feedback = self._feedback(side)
            if feedback is None or feedback.age_s > self._timeout_s:
                self.lacks = f"{side}: no fresh joint feedback"
                self._unheard_since_s = now_s if self._unheard_since_s is None else self._unheard_since_s
                still.reset()
                return None
            still.update(feedback.arm_rad, now_s)
            measured[side] = feedback
        self._unheard_since_s = None
        return measured

    def all_rest(self, now_s: float) -> bool:
        """Whether all arms have rested for long enough."""
        return all(still.reached(now_s) for still in self._still.values())

    def unheard_s(self, now_s: float) -> float:
        """For how long a side has had no fresh joints; may be asked from another thread."""
        since_s = self._unheard_since_s
        return 0.0 if since_s is None else now_s - since_s
