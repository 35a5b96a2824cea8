"""STOP is the last word, whatever was under way."""

from __future__ import annotations

from collections.abc import Callable

from vitra_console.operate.stop_latch import StopLatch


class Line:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.calls: list[Callable[[], None]] = []
        self.latch = StopLatch(self.send, lambda: self.now_s, repeat_s=0.1, patience_s=2.0)

    def send(self, latched: Callable[[], None]) -> None:
        self.calls.append(latched)

    @property
    def sent(self) -> int:
        return len(self.calls)


def test_a_press_is_sent_at_once_and_again_until_the_supervisor_reports_it() -> None:
    line = Line()
    line.latch.press()
    assert line.sent == 1
    for line.now_s in (0.05, 0.11, 0.15, 0.22):
        line.latch.tick(1)
    assert line.sent == 3
    line.now_s = 0.4
    line.latch.tick(2)
    assert not line.latch.is_wanted
    line.now_s = 0.6
    line.latch.tick(1)  # armed again, on purpose
    assert line.sent == 3


def test_a_stop_that_was_answered_does_not_undo_a_rearm_that_follows_before_anybody_has_looked() -> None:
    line = Line()
    line.latch.press()
    line.calls[0]()
    assert not line.latch.is_wanted
    line.now_s = 0.2
    line.latch.tick(1)  # stopped and armed again, on purpose, since the last look
    assert line.sent == 1


def test_only_the_answer_to_the_newest_stop_counts() -> None:
    line = Line()
    line.latch.press()
    line.latch.press()
    line.calls[0]()
    assert line.latch.is_wanted
    line.calls[1]()
    assert not line.latch.is_wanted


def test_a_rearm_that_was_sent_before_a_stop_and_answered_after_it_is_stopped_again() -> None:
    """Two services are not ordered: the supervisor may have done the STOP first and the older re-arm after it."""
    line = Line()
    before = line.latch.pressed
    line.latch.press()
    line.now_s = 0.2
    line.latch.tick(2)
    assert line.latch.answered(before)
    assert line.sent == 2
    assert line.latch.is_wanted


def test_a_rearm_without_a_stop_meanwhile_is_left_alone() -> None:
    line = Line()
    line.latch.press()
    line.now_s = 0.2
    line.latch.tick(2)
    assert not line.latch.answered(line.latch.pressed)
    assert line.sent == 1


def test_a_supervisor_that_never_answers_ends_the_repetition() -> None:
    line = Line()
    line.latch.press()
    line.now_s = 3.0
    line.latch.tick(None)
    assert not line.latch.is_wanted
