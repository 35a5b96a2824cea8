"""A move to the ready posture that somebody asked for: whether it still waits, how often it began, how it ended."""

from __future__ import annotations

from vitra_control.setpoints import HomeResult

WAITS_S = 5.0
"""Whoever asked does not expect an arm that moves long afterwards."""
_BEGINNINGS = 5


class HomeRequest:
    """The newest request; without threads.

    Attributes:
        waits: Whether it waits for the joints to rest before it begins.
    """

    def __init__(self) -> None:
        self.waits = False
        self._beginnings = 0
        self._waits_since_s: float | None = None
        self._result: HomeResult | None = None

    @property
    def has_begun(self) -> bool:
        """Whether it has been under way, and waits to go on."""
        return self._beginnings > 0

    @property
    def may_go_on(self) -> bool:
        """Whether it may begin again after something came late: a few times only."""
        return self._beginnings < _BEGINNINGS

    def ask(self, waits: bool) -> None:
        """Somebody asks; `waits`: the joints do not rest yet."""
        self._beginnings, self._waits_since_s = 0, None
        self.waits = waits

    def begin(self) -> None:
        """The arms are on their way."""
        self._beginnings += 1
        self._result, self.waits = None, False

    def wait_to_go_on(self) -> None:
        """Something came late: it goes on once the joints rest."""
        self.waits, self._waits_since_s, self._result = True, None, None

    def end(self, result: HomeResult) -> None:
        """The arms are there, or held."""
        self._result = result

    def break_off(self, why: str) -> None:
        """It comes to nothing."""
        self.waits = False
        self._result = HomeResult(False, f"the move to the ready posture was broken off: {why}")

    def has_waited_too_long(self, now_s: float) -> bool:
        """Whether the joints have not come to rest in the time that is given them; asked while it waits."""
        if self._waits_since_s is None:
            self._waits_since_s = now_s
        return now_s - self._waits_since_s > WAITS_S

    def take_result(self) -> HomeResult | None:
        """How it ended, once."""
        result, self._result = self._result, None
        return result
