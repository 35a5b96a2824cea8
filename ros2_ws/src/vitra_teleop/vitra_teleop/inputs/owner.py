"""Whose hands count: those of one sender at a time."""

from __future__ import annotations

from collections.abc import Hashable

_SILENCE_S = 1.0
_PATIENCE_S = 0.1


class HandsOwner:
    """The first sender of hands has them to itself until it has been silent for a while.

    Two trackers on one port would otherwise pull the robot to and fro between their hands. What a second sender asks
    for (STOP above all) is not refused with its hands.

    Args:
        silence_s: after so long without hands of the owner another sender may take over.
    """

    def __init__(self, silence_s: float = _SILENCE_S) -> None:
        self._silence_s = silence_s
        self._owner: Hashable = None
        self._heard_s = -float("inf")
        self.changes = 0
        """How often the hands passed to another sender, whose numbers and clock are its own."""

    def owns(self, sender: Hashable) -> bool:
        """Whether it was this sender's hands that counted last."""
        return bool(sender == self._owner)

    def is_silent(self, now_s: float) -> bool:
        """Whether nobody's hands come, so that orders cannot wait for them."""
        return now_s - self._heard_s > _PATIENCE_S

    def refusal(self, sender: Hashable, now_s: float) -> str:
        """Why the hands of a sender do not count now; empty if they do.

        Args:
            sender: address or connection.
            now_s: monotonic time of arrival.
        """
        if not self.owns(sender):
            if now_s - self._heard_s < self._silence_s:
                return f"hands come from {self._owner}; those of {sender} do not count. Stop one of the two senders."
            self._owner = sender
            self.changes += 1
        self._heard_s = now_s
        return ""
