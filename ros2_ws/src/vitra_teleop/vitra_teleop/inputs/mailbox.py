"""Keeps the newest frame between a receiving thread and the node; actions have a way of their own, without drops."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from vitra_teleop.clock_map import ClockMap
from vitra_teleop.hands import Action, HandFrame, TeleopError
from vitra_teleop.wire import actions_of, frame_of, parse

_SILENCE_S = 0.25
"""After so long a sender that counts from a lower number is one that was started again."""


class FrameMailbox:
    """Takes messages of the wire format.

    Args:
        clock: ROS time, seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._map, self._lock = clock, ClockMap(), threading.Lock()
        self._newest: HandFrame | None = None
        self._actions: list[Action] = []
        self._sequence, self._sent_s, self._heard_s = -1, -float("inf"), -float("inf")
        self.received = self.refused = self.stale = 0
        self.last_refusal = ""

    def put(self, data: bytes | str) -> None:
        """A message has come; a wrong one is counted, an old one dropped, but never what it asks for."""
        try:
            message = parse(data)
            with self._lock:
                self._actions += actions_of(message)
            frame = frame_of(message)
        except TeleopError as error:
            self._refuse(str(error))
            return
        except Exception as error:  # whatever a stranger sends, the next message must be heard
            self._refuse(f"{type(error).__name__}: {error}")
            return
        now_s = self._clock()
        with self._lock:
            # Out of order is what was also sent earlier; a sender that was started again begins to count anew.
            reordered = frame.sequence <= self._sequence and frame.stamp_s <= self._sent_s
            if reordered and now_s - self._heard_s < _SILENCE_S:
                self.stale += 1
                return
            self._sequence, self._sent_s, self._heard_s = frame.sequence, frame.stamp_s, now_s
            self.received += 1
            self._newest = replace(frame, stamp_s=self._map(frame.stamp_s, now_s), actions=())

    def take(self) -> HandFrame | None:
        """The newest frame, once; its actions come by `take_actions`."""
        with self._lock:
            frame, self._newest = self._newest, None
            return frame

    def take_actions(self) -> tuple[Action, ...]:
        """Everything that was asked for since the last time, in order."""
        with self._lock:
            actions, self._actions = tuple(self._actions), []
            return actions

    def _refuse(self, why: str) -> None:
        self.refused += 1
        self.last_refusal = why
