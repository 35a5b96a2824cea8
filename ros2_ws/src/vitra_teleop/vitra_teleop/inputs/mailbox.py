"""Keeps the newest frame between a receiving thread and the node; actions of skipped frames are not lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from vitra_teleop.clock_map import ClockMap
from vitra_teleop.hands import Action, HandFrame, TeleopError
from vitra_teleop.wire import decode

_REORDERED = 100


class FrameMailbox:
    """Takes messages of the wire format.

    Args:
        clock: ROS time, seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._map, self._lock = clock, ClockMap(), threading.Lock()
        self._newest: HandFrame | None = None
        self._actions: list[Action] = []
        self._sequence = -1
        self.received = self.refused = self.stale = 0
        self.last_refusal = ""

    def put(self, data: bytes | str) -> None:
        """A message has come; a wrong one is counted, an old one dropped."""
        try:
            frame = decode(data)
        except TeleopError as error:
            self.refused += 1
            self.last_refusal = str(error)
            return
        with self._lock:
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
            if frame is not None:
                frame, self._actions = replace(frame, actions=tuple(self._actions)), []
            return frame
