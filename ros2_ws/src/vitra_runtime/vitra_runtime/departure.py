"""When a process of the graph has to go, and why: a signal, or the loss of its launcher.

Python runs signal handlers only between two steps of the main thread, which may wait inside the middleware for a tenth
of a second. A robot must not move on for so long, so a thread of its own hears signals and the parent's end at once.

No Python runs at all where the middleware waits for ever and keeps the interpreter's lock: neither a signal nor the end
of the launcher would be heard. So that thread winds up a timer of `faulthandler` every second, which needs no lock.
"""

from __future__ import annotations

import contextlib
import faulthandler
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from vitra_runtime.parent_watch import ParentWatch
from vitra_runtime.threads import WatchedThread

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
KILL_AFTER_S = 4.0
STANDS_STILL_S = 20.0
"""After so long without a step of Python a process of a launch shows where it stands and ends (exit code 1)."""
_WIND_UP_S = 1.0


class DepartureCause(StrEnum):
    """What ends a process."""

    INTERRUPTED = "interrupted"
    """Somebody wants it so (Ctrl-C)."""
    LAUNCHER_LOST = "launcher_lost"
    """The launcher ended, or its terminal, or somebody ends it."""


@dataclass(frozen=True, slots=True)
class DepartureReason:
    """Why a process ends: the first reason stays."""

    cause: DepartureCause
    detail: str

    def __str__(self) -> str:
        return f"{self.cause}: {self.detail}"


class Departure:
    """Hears what ends this process.

    Args:
        parent: The launcher to end with; None for a process that was started by hand.
        clock: Monotonic time [s].
    """

    def __init__(self, parent: ParentWatch | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.reason: DepartureReason | None = None
        self._parent, self._clock, self._begin_s = parent, clock, 0.0
        self._lock = threading.Lock()
        self._listener: Callable[[DepartureReason], None] | None = None
        self._wake, self._signals = socket.socketpair()
        self._wake.setblocking(False)

    def listen(self) -> None:
        """Take over the signals of this process and watch its launcher; call from the main thread."""
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        WatchedThread(self._watch, name="departure", should_run=None).start()

    def tell(self, listener: Callable[[DepartureReason], None]) -> None:
        """Whom to tell, once, from another thread; at once if there is a reason already."""
        with self._lock:
            self._listener, reason = listener, self.reason
        if reason is not None:
            listener(reason)

    def begin(self, cause: DepartureCause, detail: str) -> None:
        """There is a reason to go; later ones do not count."""
        with self._lock:
            if self.reason is not None:
                return
            self.reason, self._begin_s = DepartureReason(cause, detail), self._clock()
            listener, reason = self._listener, self.reason
        if listener is not None:
            listener(reason)

    def is_due(self, linger_s: float) -> bool:
        """Whether it is time to go.

        A process of a launch stays as it is for `linger_s`: all are told at the same moment, and whoever stops the
        robot must be able to say why before the others fall silent.
        """
        if self.reason is None:
            return False
        return self._parent is None or self._clock() - self._begin_s >= linger_s

    @property
    def has_launcher(self) -> bool:
        """Whether this process belongs to a launch, whose launcher may be gone by now."""
        return self._parent is not None

    def end_launch(self) -> None:
        """Interrupt the launcher, as a Ctrl-C would; nothing if this process was started by hand."""
        if self._parent is not None and self._parent.descriptor is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._parent.descriptor, signal.SIGINT)

    def ignore_signals(self) -> None:
        """While the process cleans up (a terminal and a launcher both send a Ctrl-C)."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        if self._parent is not None:
            if self._parent.descriptor is None:
                self._lost()
            else:
                poll.register(self._parent.descriptor, select.POLLIN)
        while self._parent is None or self._parent.descriptor is not None:
            self._end_in(STANDS_STILL_S)
            for descriptor, _ in poll.poll(_WIND_UP_S * 1e3):
                if descriptor == self._signals.fileno():
                    self._hear(self._signals.recv(64))
                else:
                    self._lost()
                    return

    def _hear(self, numbers: bytes) -> None:
        for number in numbers:
            if number not in _SIGNALS:
                continue
            launched = self._parent is not None and number != signal.SIGINT
            cause = DepartureCause.LAUNCHER_LOST if launched else DepartureCause.INTERRUPTED
            self.begin(cause, f"told to end ({signal.Signals(number).name})")

    def _lost(self) -> None:
        """Nobody is left to kill this process if it hangs, so it does that itself."""
        assert self._parent is not None
        self._end_in(KILL_AFTER_S)
        self.begin(DepartureCause.LAUNCHER_LOST, f"process {self._parent.pid}, which started this one, ended")

    def _end_in(self, delay_s: float) -> None:
        """End a process of a launch after this time, whatever it does, unless told anew; says where its threads are."""
        if self._parent is not None:
            faulthandler.dump_traceback_later(delay_s, exit=True, file=sys.__stderr__ or 2)
