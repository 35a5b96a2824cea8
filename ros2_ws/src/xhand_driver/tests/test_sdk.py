"""Loading the SDK and watching its calls."""

import pytest

from vitra_sim.doubles import xhand_control
from xhand_driver.errors import SdkMissingError
from xhand_driver.sdk import CallWatch, load_sdk


def test_the_double_is_loaded_by_the_name_of_its_module():
    assert load_sdk("vitra_sim.doubles.xhand_sdk") is xhand_control


def test_a_missing_sdk_says_where_it_comes_from_and_for_which_python():
    with pytest.raises(SdkMissingError, match=r"not on PyPI.*Python 3.10 and 3.12.*sdk_module"):
        load_sdk("no_such_sdk")


def test_a_module_without_the_api_is_refused():
    with pytest.raises(SdkMissingError, match="has no xhand_control"):
        load_sdk("json")


class Control:
    def __init__(self, during):
        self.during = during

    def read_state(self, hand_id, force):
        self.during()
        return hand_id, force


def test_a_running_call_is_overdue_after_its_deadline_and_no_longer_once_it_returns():
    now = [10.0]
    watch = CallWatch(clock=lambda: now[0])
    seen = []

    def during():
        seen.append(watch.overdue(0.5))
        now[0] += 0.7
        seen.append(watch.overdue(0.5))

    assert watch.around(Control(during)).read_state(3, True) == (3, True)
    assert seen == [None, ("read_state", pytest.approx(0.7))]
    assert watch.overdue(0.0) is None


def test_a_call_that_raises_is_over():
    def during():
        raise RuntimeError("sdk")

    watch = CallWatch()
    with pytest.raises(RuntimeError, match="sdk"):
        watch.around(Control(during)).read_state(0, False)
    assert watch.overdue(-1.0) is None
