"""Keeps the newest frame between a receiving thread and the node; actions of skipped frames are not lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import replace

from vitra_teleop.clock_map import ClockMap
from vitra_teleop.hands import Action, HandFrame, TeleopError
from vitra_teleop.inputs.owner import HandsOwner
from vitra_teleop.wire import decode

_REORDERED = 100


class FrameMailbox:
    """Takes messages of the wire format.

    Args:
        clock: ROS time, seconds.
        monotonic: seconds of a clock that nobody sets.
    """

    def __init__(self, clock: Callable[[], float], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._monotonic = clock, monotonic
        self._map, self._lock, self._owner = ClockMap(monotonic=monotonic), threading.Lock(), HandsOwner()
        self._newest: HandFrame | None = None
        self._actions: list[Action] = []
        self._sequence = -1
        self.received = self.refused = self.stale = 0
        self.last_refusal = ""

    def put(self, data: bytes | str, sender: Hashable = "") -> None:
        """A message has come; a wrong one is counted, an old one dropped, and so are hands of a second sender.

        Args:
            data: the message.
            sender: who sent it.
        """
        try:
            frame = decode(data)
        except TeleopError as error:
            self.refused += 1
            self.last_refusal = str(error)
            return
        with self._lock:
            if not self._counts(frame, sender):
                self._actions += frame.actions
                return
            # A sender that was started again begins to count anew: much older numbers are welcome.
            if 0 <= self._sequence - frame.sequence < _REORDERED:
                self.stale += 1
                return
            self._sequence = frame.sequence
            self.received += 1
            self._actions += frame.actions
            self._newest = replace(frame, stamp_s=self._map(frame.stamp_s, self._clock()))

    def take(self) -> HandFrame | None:
        """The newest frame, once."""
        with self._lock:
            frame, self._newest = self._newest, None
            if frame is None and self._actions and self._owner.is_silent(self._monotonic()):
                frame = HandFrame(self._clock(), self._sequence, {})
            if frame is not None:
                frame, self._actions = replace(frame, actions=tuple(self._actions)), []
            return frame

    def _counts(self, frame: HandFrame, sender: Hashable) -> bool:
        """Whether a frame is of the one whose hands count; another's orders do all the same."""
        now_s, changes = self._monotonic(), self._owner.changes
        if not frame.hands and not self._owner.owns(sender):
            return self._owner.is_silent(now_s)  # orders only, as of a keyboard beside a tracker
        if why := self._owner.refusal(sender, now_s):
            self.refused += 1
            self.last_refusal = why
            return False
        if self._owner.changes != changes:
            self._sequence, self._map = -1, ClockMap(monotonic=self._monotonic)
        return True
