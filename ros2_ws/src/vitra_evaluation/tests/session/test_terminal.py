"""The terminal gives every order of the console, tried through a pseudo-terminal."""

from __future__ import annotations

import io
import os
import pty
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vitra_evaluation.errors import RefusedError
from vitra_evaluation.session.attempt import Outcome
from vitra_evaluation.session.keys import ASKS, KeyReader, key_table
from vitra_evaluation.session.orders import Order, Seen, check_order
from vitra_evaluation.session.terminal import Terminal
from vitra_evaluation.session.trial import KEYS, Command, Phase


class Typed:
    """A key reader with what came of the keys."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.screen = ""
        self.reader = KeyReader(self.orders.append, self._show, ("dropped", "other"))

    def _show(self, text: str) -> None:
        self.screen += text

    def __call__(self, *keys: str) -> list[tuple[Command, str]]:
        for key in keys:
            self.reader.feed(key)
        return [(order.command, order.text) for order in self.orders]


@pytest.fixture
def typed() -> Typed:
    return Typed()


def test_every_order_has_a_key_and_every_key_an_order(typed: Typed) -> None:
    assert set(KEYS.values()) == set(Command)
    answers = {Command.FAIL: "dropped\r", Command.VOID: "why\r", Command.SAFETY_STOP: "\r", Command.REARM: "y",
               Command.CORRECT: "dropped: slipped\r"}  # fmt: skip
    for key, command in KEYS.items():
        typed(key, *answers.get(command, ""))
    given = [order.command for order in typed.orders]
    assert [command for command in given if command is not Command.END] == [
        command for command in KEYS.values() if command is not Command.END
    ]
    assert given.count(Command.END) == len(ASKS)  # the key itself, and before every label with a text
    assert all(str(command) in key_table() for command in Command)


def test_a_line_of_text_can_be_corrected(typed: Typed) -> None:
    typed("f", "dropped: slop", "\x7f\x7f", "ip\n")
    assert typed.orders[-1] == Order(Command.FAIL, "dropped: slip", seen=Seen())
    assert "one of dropped, other" in typed.screen


def test_letters_within_a_text_are_no_orders_and_escape_leaves_it(typed: Typed) -> None:
    assert typed("v", "gsq", "\x1b") == [(Command.END, "")]
    assert typed("g")[1:] == [(Command.START, "")]


def test_space_stops_even_while_a_question_is_open(typed: Typed) -> None:
    assert typed("v", " ") == [(Command.END, ""), (Command.STOP, "")]
    assert typed("bumped the table\n")[2:] == [(Command.VOID, "bumped the table")]


def test_rearming_asks_once_more_and_anything_but_yes_leaves_it(typed: Typed) -> None:
    assert typed("r", "r") == []
    assert typed("r", " ", "y") == [(Command.STOP, "")]
    assert typed("r", "y")[1:] == [(Command.REARM, "")]


@pytest.mark.parametrize("sequence", ["\x1b[C", "\x1bOS", "\x1b[15~", "\x1bs"])
def test_arrows_and_function_keys_are_no_orders(typed: Typed, sequence: str) -> None:
    assert typed(sequence) == []


def test_capital_letters_are_the_same_orders(typed: Typed) -> None:
    assert typed("G", "S") == [(Command.START, ""), (Command.SUCCESS, "")]


def test_the_answer_to_a_question_is_about_the_trial_it_was_asked_for() -> None:
    given: list[Order] = []
    now = [Seen(trial="001A.1", phase="running")]
    reader = KeyReader(given.append, lambda _: None, ("dropped",), lambda: now[0])
    reader.feed("f")
    now[0] = Seen(trial="001B.2", phase="running")  # the trial was voided from the console meanwhile
    reader.feed("dropped\r")
    assert given[-1].seen.trial == "001A.1"
    with pytest.raises(RefusedError, match=r"was about trial 001A\.1, and this is 001B\.2"):
        check_order(given[-1], now[0])


class AtTerminal:
    """An evaluator at a pseudo-terminal."""

    def __init__(self, console, master: int) -> None:
        self._console, self._master = console, master

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def until(self, condition: Callable[[], bool]) -> None:
        self._console.wait_for(condition)

    def run_to(self, phase: Phase, *keys: str) -> None:
        """Type keys, each when its predecessor has taken effect, until the trial is in a phase."""
        phases = {"c": Phase.RESET, "g": Phase.READY}
        for key in keys:
            self.in_phase(phases[key])
            self.type(key)
        self.in_phase(phase)

    def in_phase(self, phase: Phase) -> None:
        view = self._console.runner.view
        self.until(lambda: view.trial is not None and view.trial.phase is phase)


@pytest.fixture
def at_terminal(console) -> Iterator[AtTerminal]:
    master, slave = pty.openpty()
    with os.fdopen(slave, "r") as keys, Terminal(console.runner, lambda line: None, (), keys, io.StringIO()):
        yield AtTerminal(console, master)
    os.close(master)


def test_a_whole_session_by_keys(console, at_terminal: AtTerminal) -> None:
    person, store = at_terminal, console.session.store

    person.run_to(Phase.RUNNING, "c", "g")
    person.type("mi")
    person.type("s")
    person.until(lambda: len(store.counted()) == 1)

    person.run_to(Phase.RUNNING, "c", "g")
    person.type("fdropped: slipped at the rim\n")
    person.until(lambda: len(store.counted()) == 2)

    person.run_to(Phase.RUNNING, "c", "g")
    person.type("vbumped the table\n")
    person.until(lambda: store.attempts()[2].void_reason is not None)

    person.run_to(Phase.RUNNING, "c", "g")
    person.type("p ")  # pause after this trial, and STOP it
    person.run_to(Phase.LABEL)
    assert console.port.stops == 1
    person.type("xhand too low\n")
    person.until(lambda: len(store.counted()) == 3)
    assert console.runner.view.paused
    person.type("h")
    person.type("ry")
    person.until(lambda: console.port.armed)
    person.type("p")
    person.run_to(Phase.READY, "c")
    person.type("q")
    person.until(lambda: console.outcome == [False])

    first, second, third, fourth = (attempt.result for attempt in store.attempts())
    assert (first.outcome, first.interventions, len(first.milestones)) == (Outcome.SUCCESS, 1, 1)
    assert (second.outcome, second.failure_code, second.note) == (Outcome.FAIL, "dropped", "slipped at the rim")
    assert third is not None
    assert (fourth.outcome, fourth.note) == (Outcome.SAFETY_STOP, "hand too low")
    kinds = [event["kind"] for event in store.events()]
    assert kinds.index("paused") < kinds.index("resumed") < kinds.index("quit")


def test_the_terminal_is_left_as_it_was(console, tmp_path: Path) -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "r") as keys:
        before = termios.tcgetattr(keys)
        with Terminal(console.runner, lambda line: None, (), keys, io.StringIO()):
            assert termios.tcgetattr(keys) != before
        assert termios.tcgetattr(keys) == before
    os.close(master)
