"""Error codes in words."""

import pytest

from xhand_driver.codes import CODES, Severity, describe, severity


@pytest.mark.parametrize("code", [1501018, 1501019, 1501020, 1501070])
def test_codes_that_come_with_good_joint_states_are_tolerated(code):
    assert severity(code) is Severity.TOLERATED


def test_pressing_on_something_is_no_fault():
    assert severity(1501035) is Severity.CONTACT


def test_an_unknown_code_is_a_fault_and_says_what_the_sdk_said():
    assert severity(1501999) is Severity.FAULT
    assert describe(1501999, "strange thing") == "unknown code (code 1501999; the SDK says: strange thing)"


def test_every_code_has_words_of_its_own_kind():
    assert all(text and not text[0].isdigit() and not text.endswith(".") for text, _ in CODES.values())
    assert {severity(code) for code in CODES} == set(Severity)
