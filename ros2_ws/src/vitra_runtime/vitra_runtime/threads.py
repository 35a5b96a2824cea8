"""Worker threads whose unexpected end is noticed: the node of the process beats FAULT by name (`StackNode`)."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from typing import Any

_lock = threading.Lock()
_ended: dict[str, str] = {}


def ended_threads() -> str:
    """Threads of this process that ended though they should run, and why; empty if there are none."""
    with _lock:
        return "; ".join(_ended.values())


class WatchedThread(threading.Thread):
    """A daemon thread that may only end when its owner has said so.

    An exception that leaves the thread, and a return while `should_run` holds, are remembered until a thread of the
    same name is started again.

    Args:
        target: What it does.
        name: Names it in the node's fault.
        should_run: Whether the thread is still meant to run; asked when it has returned. None: it may return any time
            (work that comes to an end), only an exception is unexpected.
        args: Arguments of the target.
        on_end: Told why it ended unexpectedly, in that thread (for what needs more than the node's fault).
    """

    def __init__(
        self,
        target: Callable[..., None],
        *,
        name: str,
        should_run: Callable[[], bool] | None,
        args: tuple[Any, ...] = (),
        on_end: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._work, self._work_args = target, args
        self._should_run, self._on_end = should_run, on_end
        self._returned = threading.Event()
        self.problem = ""

    def start(self) -> None:
        """Begin; what an earlier thread of this name did is forgotten."""
        with _lock:
            _ended.pop(self.name, None)
        super().start()

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end.

        What interrupts this, Ctrl-C above all, does not make the thread count as ended: `Thread.join` of Python 3.11
        does that to one that lives.

        Args:
            timeout: Longest wait [s]; None: as long as it takes.

        Raises:
            RuntimeError: it was not started, or would wait for itself.
        """
        if self.ident in (None, threading.get_ident()) or self._returned.wait(timeout):
            super().join(timeout)

    def run(self) -> None:
        """The thread itself."""
        try:
            self._do()
        finally:
            self._returned.set()

    def _do(self) -> None:
        try:
            self._work(*self._work_args)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{place.filename.rsplit('/', 1)[-1]}:{place.lineno}"
            self._end(f"thread '{self.name}' ended: {type(error).__name__}: {error} ({where})")
            return
        if self._should_run is not None and self._should_run():
            self._end(f"thread '{self.name}' returned though it should run")

    def _end(self, problem: str) -> None:
        self.problem = problem
        with _lock:
            _ended[self.name] = problem
        if self._on_end is not None:
            self._on_end(problem)
