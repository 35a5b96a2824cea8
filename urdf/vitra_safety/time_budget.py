"""Time that a sender may spend, counted on the receiver's own clock: what it claims can only shorten it."""

from __future__ import annotations


class TimeBudget:
    """A bucket of seconds that fills as time passes here and empties as commands are accepted.

    The time credited over any span is at most the span plus `slack_s`: whoever keeps a rate limit in credited time
    keeps it in real time, up to a jump of `slack_s` times the rate. (The generic cell rate algorithm, ITU-T I.371.)

    Args:
        slack_s: How far delivery may bunch commands.
    """

    def __init__(self, slack_s: float) -> None:
        self._slack_s = self._saved_s = slack_s
        self._spent_at_s: float | None = None

    def available_s(self, now_s: float) -> float:
        """What may be credited now: time since the last spending, and what was saved up before it."""
        if self._spent_at_s is None:
            return self._saved_s
        return self._saved_s + max(0.0, now_s - self._spent_at_s)

    def spend(self, credited_s: float, now_s: float) -> None:
        """Credit time to a command that was accepted; what remains is kept up to the slack."""
        self._saved_s = min(max(0.0, self.available_s(now_s) - credited_s), self._slack_s)
        self._spent_at_s = now_s if self._spent_at_s is None else max(now_s, self._spent_at_s)
