"""The terminal's way to give every order the console has: one key each."""

from __future__ import annotations

import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Callable
from typing import Any

from vitra_evaluation.runner import Order, Runner
from vitra_evaluation.trial import KEYS, Command

ASKS = {
    Command.FAIL: "failure code (code: note)",
    Command.VOID: "reason",
    Command.SAFETY_STOP: "note",
}
"""Orders that want a line of text."""


def key_table() -> str:
    """The keys in words; the same list the console shows."""
    return "  ".join(f"[{'space' if key == ' ' else key}] {command}" for key, command in KEYS.items())


class Terminal:
    """Reads single keys while the session runs; use as a context manager.

    Args:
        runner: takes the orders.
        say: shows a line.
    """

    def __init__(self, runner: Runner, say: Callable[[str], None]) -> None:
        self._runner, self._say = runner, say
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="terminal", daemon=True)

    def __enter__(self) -> Terminal:
        self._settings = termios.tcgetattr(sys.stdin)
        tty.setcbreak(sys.stdin.fileno())
        self._say(key_table())
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join(timeout=1.0)
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._settings)

    def _read(self) -> None:
        while not self._stop.is_set():
            if not select.select([sys.stdin], [], [], 0.2)[0]:
                continue
            key = os.read(sys.stdin.fileno(), 1).decode(errors="ignore")
            command = KEYS.get(key.lower())
            if command is not None:
                self._runner.give(Order(command, self._line(ASKS[command]) if command in ASKS else ""))

    def _line(self, question: str) -> str:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._settings)
        try:
            return input(f"{question}: ")
        finally:
            tty.setcbreak(sys.stdin.fileno())
