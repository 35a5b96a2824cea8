"""Exchanges with a hand through the double of the SDK."""

import numpy as np
import pytest

from vitra_sim.doubles import xhand_control
from xhand_driver.device import Gains, HandDevice
from xhand_driver.errors import HandLinkError


@pytest.fixture
def device(server):
    control = xhand_control.XHandControl()
    assert control.open_serial(f"{server.address}/ttyUSB0", 3_000_000).error_code == 0
    opened = HandDevice(xhand_control, control, 0, Gains(tor_max_ma=400))
    yield opened
    opened.close()


def test_without_a_setpoint_the_hand_is_read_and_not_moved(device, server, hands):
    hands["left"].position[:] = np.linspace(0.0, 0.11, 12)
    sample = device.exchange(None)
    np.testing.assert_allclose(sample.position_rad, np.linspace(0.0, 0.11, 12))
    assert server.units["left"].commands == 0
    assert sample.fault == ""


def test_a_setpoint_arrives_in_radians_and_in_order(device, hands):
    setpoint = np.linspace(0.0, 0.16, 12)
    sample = device.exchange(setpoint)
    np.testing.assert_allclose(hands["left"].position, setpoint, atol=1e-7)
    np.testing.assert_allclose(sample.position_rad, setpoint, atol=1e-7)


def test_a_cycle_with_a_setpoint_is_one_exchange(device, hands):
    device.exchange(np.full(12, 0.1))
    before = hands["left"].reads
    device.exchange(np.full(12, 0.1))
    assert hands["left"].reads == before + 1


def test_currents_temperatures_and_fingertips_are_read(device, hands):
    hands["left"].effort[5] = 0.1
    sample = device.exchange(None)
    assert sample.current_ma[5] == pytest.approx(300, abs=1)
    assert np.all(sample.temperature_c == 32)
    assert sample.fingertip.shape == (5, 3)
    assert sample.fingertip[1, 2] == 25


def test_contact_is_seen_and_is_no_fault(device, hands):
    hands["left"].effort[6] = 0.6
    sample = device.exchange(np.full(12, 0.1))
    assert sample.contact
    assert sample.fault == ""


@pytest.mark.parametrize("code", [1501018, 1501070])
def test_tolerated_codes_are_notes(device, server, code):
    server.faults("left").error_code = code
    sample = device.exchange(None)
    assert sample.fault == ""
    assert str(code) in sample.notes[0]


def test_a_code_of_a_joint_is_a_fault_that_names_the_joint(device, server):
    server.faults("left").joint_error[6] = 1501028
    assert "mid_joint1: a joint is too hot" in device.exchange(None).fault


def test_an_unknown_number_of_a_joint_board_is_only_noted(device, server):
    server.faults("left").joint_error[6] = 3
    sample = device.exchange(None)
    assert (sample.fault, sample.notes) == ("", ("mid_joint1: jonitboard_err 3",))


def test_a_broken_link_and_positions_that_are_not_finite_bring_no_state(device, server):
    server.faults("left").not_finite = True
    with pytest.raises(HandLinkError, match="thumb_bend_joint is missing or not finite"):
        device.exchange(None)
    server.unplug("left")
    with pytest.raises(HandLinkError, match="communication with the hand failed"):
        device.exchange(None)


def test_states_that_never_change_make_every_read_forced(device, server, hands):
    server.faults("left").keeps_first = True
    device.exchange(None)
    for _ in range(40):
        sample = device.exchange(np.full(12, 0.15))
    assert device.forces_reads
    np.testing.assert_allclose(sample.position_rad, 0.15)
