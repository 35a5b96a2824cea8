"""The terminal's way to give every order the console has."""

from __future__ import annotations

import codecs
import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from vitra_evaluation.session.keys import KeyReader, key_table
from vitra_evaluation.session.runner import Runner

_READ_BYTES = 64


class Terminal:
    """Reads single keys while the session runs; use as a context manager.

    Args:
        runner: takes the orders.
        say: shows a line.
        failure_codes: shown when a failure is labelled.
        keys: the terminal to read from.
        screen: where questions and what is typed are shown.
    """

    def __init__(
        self,
        runner: Runner,
        say: Callable[[str], None],
        failure_codes: Sequence[str] = (),
        keys: TextIO = sys.stdin,
        screen: TextIO = sys.stdout,
    ) -> None:
        self._say, self._keys, self._screen = say, keys, screen
        self._reader = KeyReader(runner.give, self._write, failure_codes, runner.look)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="terminal", daemon=True)

    def __enter__(self) -> Terminal:
        self._settings = termios.tcgetattr(self._keys)
        tty.setcbreak(self._keys.fileno())
        self._say(key_table())
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        try:
            self._thread.join(timeout=1.0)
        finally:  # a second Ctrl-C leaves a terminal that echoes, too
            termios.tcsetattr(self._keys, termios.TCSADRAIN, self._settings)

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")
        while not self._stop.is_set():
            if select.select([self._keys], [], [], 0.2)[0]:
                data = os.read(self._keys.fileno(), _READ_BYTES)
                if not data:  # the terminal is gone
                    return
                self._reader.feed(decoder.decode(data))

    def _write(self, text: str) -> None:
        self._screen.write(text)
        self._screen.flush()
