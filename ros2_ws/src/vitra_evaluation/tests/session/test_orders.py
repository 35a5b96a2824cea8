"""What an order is about: which trial, which phase, and before or after a STOP."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from vitra_evaluation.errors import RefusedError
from vitra_evaluation.session.attempt import Outcome
from vitra_evaluation.session.orders import Order, Seen, check_order, read_label
from vitra_evaluation.session.trial import LABELS, OF_A_TRIAL, Command, Phase
from vitra_policy.errors import UnknownNameError

NOW = Seen(trial="004B.7", phase="running", last="004A.6", stops=3)


def obeyed(command: Command, seen: Seen, now: Seen = NOW) -> bool:
    try:
        check_order(Order(command, seen=seen), now)
    except RefusedError:
        return False
    return True


@pytest.mark.parametrize("command", list(Command))
def test_nothing_but_stop_and_pause_is_obeyed_when_a_stop_came_after_it(command: Command) -> None:
    older = replace(NOW, stops=2)
    assert obeyed(command, older) == (command in (Command.STOP, Command.PAUSE))
    assert obeyed(command, NOW)


def test_going_on_after_a_pause_is_not_obeyed_when_a_stop_came_after_it() -> None:
    assert not obeyed(Command.PAUSE, replace(NOW, stops=2, paused=True), replace(NOW, paused=True))


@pytest.mark.parametrize("command", list(Command))
def test_an_order_about_another_trial_is_refused_where_that_matters(command: Command) -> None:
    assert obeyed(command, replace(NOW, trial="004A.6")) == (command not in OF_A_TRIAL)
    assert obeyed(command, replace(NOW, last="003B.5")) == (command is not Command.CORRECT)


@pytest.mark.parametrize(("seen", "now"), itertools.product(Phase, Phase))
def test_a_label_given_while_it_ran_is_good_when_it_has_just_ended_and_nothing_else_is(seen: Phase, now: Phase) -> None:
    about = {Phase.RUNNING, Phase.LABEL}
    for command in OF_A_TRIAL:
        good = seen is now or (command in LABELS and {seen, now} <= about)
        assert obeyed(command, replace(NOW, phase=str(seen)), replace(NOW, phase=str(now))) == good, command


def test_a_corrected_label_has_a_reason_and_a_known_name() -> None:
    codes = ("dropped", "other")
    assert read_label("dropped: slipped: twice", codes).reason == "slipped: twice"
    assert read_label("success: it held", codes).outcome is Outcome.SUCCESS
    assert read_label("safety_stop: hand too low", codes).failure_code == "stopped"
    with pytest.raises(RefusedError, match="needs a reason"):
        read_label("dropped", codes)
    with pytest.raises(UnknownNameError, match="Did you mean 'dropped'"):
        read_label("droped: x", codes)
