"""A STOP holds until the supervisor has latched it with nothing older under way."""

from __future__ import annotations

import threading
from collections.abc import Callable

STOPPED = 2


class StopLatch:
    """Sends STOP until it is sure to have been the last word.

    Services are not ordered among each other: a re-arm that was sent before a STOP may be answered after it. So a STOP
    is sent again when such an answer comes in, and again until the supervisor answers it or reports the stop: a report
    alone may be over, by a re-arm on purpose, before anybody looks.

    Args:
        send: sends one stop and calls the function it is given once the supervisor has latched it; must not block.
        clock: monotonic seconds.
        repeat_s: pause between two sends.
        patience_s: how long it is repeated without a word of the supervisor.
    """

    def __init__(
        self,
        send: Callable[[Callable[[], None]], None],
        clock: Callable[[], float],
        repeat_s: float = 0.1,
        patience_s: float = 10.0,
    ) -> None:
        self._send, self._clock, self._repeat_s, self._patience_s = send, clock, repeat_s, patience_s
        self._lock = threading.Lock()
        self._pressed = self._sends = 0
        self._pressed_s = self._sent_s = float("-inf")
        self._wanted = False

    @property
    def pressed(self) -> int:
        """How often STOP was pressed; take it before an order leaves, compare after its answer."""
        return self._pressed

    @property
    def is_wanted(self) -> bool:
        """Whether a STOP is on its way."""
        return self._wanted

    def press(self) -> None:
        """STOP, from any thread."""
        with self._lock:
            self._pressed += 1
        self._insist()

    def answered(self, pressed_before: int) -> bool:
        """A re-arm was answered; if a STOP was pressed since it left, stop again. Returns whether it did."""
        if self._pressed == pressed_before:
            return False
        self._insist()
        return True

    def tick(self, safety_state: int | None) -> None:
        """Look whether the stop has arrived; called often, with the supervisor's newest state."""
        with self._lock:
            now_s = self._clock()
            if not self._wanted or now_s - self._sent_s < self._repeat_s:
                return
            if safety_state == STOPPED or now_s - self._pressed_s > self._patience_s:
                self._wanted = False
                return
            self._sent_s = now_s
        self._send_one()

    def _insist(self) -> None:
        with self._lock:
            self._wanted = True
            self._pressed_s = self._sent_s = self._clock()
        self._send_one()

    def _send_one(self) -> None:
        with self._lock:
            self._sends += 1
            number = self._sends
        self._send(lambda: self._latched(number))

    def _latched(self, number: int) -> None:
        """The supervisor has latched this one; what was sent after it is still on its way."""
        with self._lock:
            if number == self._sends:
                self._wanted = False
