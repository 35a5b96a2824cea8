from types import SimpleNamespace

import pytest

from vitra_policy.errors import UnknownNameError
from vitra_sim.realtime.faults import FaultSwitches


def devices():
    return {"left_arm": SimpleNamespace(frozen=False, delay_s=0.0), "right_hand": SimpleNamespace(unplugged=False)}


def test_exactly_the_named_faults_are_on():
    them = devices()
    switches = FaultSwitches(them)
    switches.set(["left_arm.frozen", ""])
    assert them["left_arm"].frozen
    switches.set(["right_hand.unplugged"])
    assert not them["left_arm"].frozen
    assert them["right_hand"].unplugged


def test_an_unknown_fault_changes_nothing():
    them = devices()
    switches = FaultSwitches(them)
    with pytest.raises(UnknownNameError, match="Did you mean 'left_arm.frozen'"):
        switches.set(["right_hand.unplugged", "left_arm.frosen"])
    assert not them["right_hand"].unplugged


def test_only_switches_are_listed():
    assert FaultSwitches(devices()).names == ["left_arm.frozen", "right_hand.unplugged"]
