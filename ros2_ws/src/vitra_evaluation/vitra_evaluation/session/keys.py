"""From keys to orders: one key each, a line of text where an order wants one; knows no terminal."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from vitra_evaluation.session.orders import Order, Seen
from vitra_evaluation.session.trial import KEYS, Command

ASKS = {
    Command.FAIL: "failure code (code: note)",
    Command.VOID: "reason",
    Command.SAFETY_STOP: "note",
    Command.CORRECT: "the last trial is (success, safety_stop or a failure code), and why (label: reason)",
}
"""Orders that want a line of text. The run ends when they are chosen: nobody types while the robot moves."""

_ESCAPE, _ENTER, _BACKSPACE = "\x1b", "\r\n", "\x7f\b"


def key_table() -> str:
    """The keys in words; the same list the console shows."""
    return "  ".join(f"[{'space' if key == ' ' else key}] {command}" for key, command in KEYS.items())


class KeyReader:
    """Turns keys into orders.

    Space is STOP at any time but within a text that has begun; Escape leaves a question.

    Args:
        give: takes the orders.
        write: shows text as it is, without a line break.
        failure_codes: shown when a failure is labelled.
        look: what is on the screen now.
    """

    def __init__(
        self,
        give: Callable[[Order], None],
        write: Callable[[str], None],
        failure_codes: Sequence[str] = (),
        look: Callable[[], Seen] = Seen,
    ) -> None:
        self._take, self._write, self._codes, self._look = give, write, failure_codes, look
        self._about = Seen()
        self._asking: Command | None = None
        self._text = ""

    def feed(self, keys: str) -> None:
        """Take what was typed: the characters of one read.

        An escape sequence (arrows, function keys) arrives as one read and means nothing: its letters are no orders.
        """
        if len(keys) > 1 and keys.startswith(_ESCAPE):
            return
        for key in keys:
            if key == " " and not self._text:
                self._give(Command.STOP)
                if self._asking is Command.REARM:
                    self._end(None)
            elif self._asking is None:
                self._command(key)
            elif self._asking is Command.REARM:
                self._confirm(key)
            else:
                self._edit(key, self._asking)

    def _command(self, key: str) -> None:
        command = KEYS.get(key.lower())
        if command is Command.REARM:
            self._about = self._look()
            self._ask(command, "everybody clear? [y] re-arms")
        elif command in ASKS:
            self._about = self._look()
            if command is not Command.CORRECT:
                self._give(Command.END)
            lists = command in (Command.FAIL, Command.CORRECT) and self._codes
            self._ask(command, ASKS[command] + (f", one of {', '.join(self._codes)}" if lists else ""))
        elif command is not None:
            self._give(command)

    def _give(self, command: Command) -> None:
        self._take(Order(command, seen=self._look()))

    def _answer(self, command: Command, text: str) -> None:
        """The answer to a question is about the trial that was there when it was asked."""
        seen = dataclasses.replace(self._look(), trial=self._about.trial, last=self._about.last)
        self._end(Order(command, text, seen=seen))

    def _ask(self, command: Command, question: str) -> None:
        self._asking, self._text = command, ""
        self._write(f"{command}: {question}: ")

    def _confirm(self, key: str) -> None:
        if key.lower() == "y":
            self._end(Order(Command.REARM, seen=self._about))
        else:
            self._end(None)

    def _edit(self, key: str, command: Command) -> None:
        if key in _ENTER:
            self._answer(command, self._text.strip())
        elif key == _ESCAPE:
            self._end(None)
        elif key in _BACKSPACE:
            if self._text:
                self._text = self._text[:-1]
                self._write("\b \b")
        elif key.isprintable():
            self._text += key
            self._write(key)

    def _end(self, order: Order | None) -> None:
        self._asking, self._text = None, ""
        self._write("\n" if order else " (left)\n")
        if order:
            self._take(order)
