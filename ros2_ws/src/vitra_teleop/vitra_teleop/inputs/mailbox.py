"""Keeps the newest frame between a receiving thread and the node; actions have a way of their own, without drops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import replace

from vitra_teleop.clock_map import ClockMap
from vitra_teleop.hands import Action, HandFrame, TeleopError
from vitra_teleop.inputs.owner import HandsOwner
from vitra_teleop.wire import actions_of, frame_of, parse

_SILENCE_S = 0.25
"""After so long a sender that counts from a lower number is one that was started again."""


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
        self._sequence, self._sent_s, self._heard_s = -1, -float("inf"), -float("inf")
        self.received = self.refused = self.stale = 0
        self.last_refusal = ""

    def put(self, data: bytes | str, sender: Hashable = "") -> None:
        """A message has come; a wrong one is counted, an old one dropped, and so are hands of a second sender.

        What it asks for is never dropped.

        Args:
            data: the message.
            sender: who sent it.
        """
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
            if not self._counts(frame, sender):
                return
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

    def _counts(self, frame: HandFrame, sender: Hashable) -> bool:
        """Whether a frame is of the one whose hands count; another's orders do all the same."""
        now_s, changes = self._monotonic(), self._owner.changes
        if not frame.hands and not self._owner.owns(sender):
            return self._owner.is_silent(now_s)  # orders only, as of a keyboard beside a tracker
        if why := self._owner.refusal(sender, now_s):
            self._refuse(why)
            return False
        if self._owner.changes != changes:
            self._sequence, self._sent_s, self._map = -1, -float("inf"), ClockMap(monotonic=self._monotonic)
        return True
