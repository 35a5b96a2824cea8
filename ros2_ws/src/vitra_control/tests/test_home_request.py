"""A request for the ready posture: it waits so long, goes on so often, and says once how it ended."""

from __future__ import annotations

from vitra_control.home_request import WAITS_S, HomeRequest
from vitra_control.setpoints import HomeResult


def test_it_waits_for_rest_from_the_first_look_on_and_anew_each_time() -> None:
    request = HomeRequest()
    request.ask(waits=True)
    assert request.waits
    assert WAITS_S == 5.0
    for begin_s in (64.0, 128.0):
        assert not request.has_waited_too_long(begin_s)
        assert not request.has_waited_too_long(begin_s + 5.0)
        assert request.has_waited_too_long(begin_s + 5.0 + 2**-20)
        request.wait_to_go_on()


def test_it_goes_on_four_times_after_something_came_late() -> None:
    request = HomeRequest()
    request.ask(waits=False)
    assert not request.has_begun
    for _ in range(4):
        request.begin()
        assert request.has_begun
        assert request.may_go_on
        request.wait_to_go_on()
    request.begin()
    assert not request.may_go_on
    request.ask(waits=False)
    assert request.may_go_on, "the next one may be late as often as the first"


def test_how_it_ended_is_said_once() -> None:
    request = HomeRequest()
    request.ask(waits=True)
    request.break_off("the permit was withdrawn")
    assert not request.waits
    result = request.take_result()
    assert result == HomeResult(False, "the move to the ready posture was broken off: the permit was withdrawn")
    assert request.take_result() is None
    request.begin()
    request.end(HomeResult(True, "there"))
    assert request.take_result() == HomeResult(True, "there")
