"""The double of the XHand SDK behaves as users of the SDK report of the genuine one."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest

from vitra_sim.doubles.ports import JointState
from vitra_sim.doubles.xhand_sdk import xhand_control
from vitra_sim.doubles.xhand_server import XHandServer

pytestmark = pytest.mark.realtime


class StillHand:
    """A hand that is at its target at once."""

    def __init__(self, side):
        self.side = side
        self.position = np.full(12, 0.1)
        self.effort = np.zeros(12)

    def joint_state(self):
        return JointState(self.position.copy(), np.zeros(12), self.effort.copy(), 0.0)

    def set_target(self, position_rad):
        self.position = np.array(position_rad)

    def target(self):
        return self.position.copy()


@pytest.fixture
def hands():
    return {side: StillHand(side) for side in ("left", "right")}


@pytest.fixture
def server(hands, monkeypatch):
    with XHandServer(hands, tcp_port=0) as running:
        monkeypatch.setenv(xhand_control.SERVER_VARIABLE, running.address)
        yield running


def connect(server, side):
    for port in xhand_control.XHandControl().enumerate_devices("RS485"):
        device = xhand_control.XHandControl()
        assert device.open_serial(port, 3_000_000).error_code == 0
        if device.get_hand_type(device.list_hands_id()[0])[1] == side[0].upper():
            return device
        device.close_device()
    raise AssertionError(f"no {side} hand")


def command(position, mode=3, tor_max=300):
    message = xhand_control.HandCommand_t()
    for i, finger in enumerate(message.finger_command):
        finger.id, finger.kp, finger.position, finger.tor_max, finger.mode = i, 100, position, tor_max, mode
    return message


def test_each_hand_is_found_on_a_port_of_its_own_and_says_which_it_is(server):
    ports = xhand_control.XHandControl().enumerate_devices("RS485")
    assert [port.rpartition("/")[2] for port in ports] == ["ttyUSB0", "ttyUSB1"]
    for side, letter in (("left", "L"), ("right", "R")):
        device = connect(server, side)
        error, info = device.read_device_info(0)
        assert (error.error_code, info.ev_hand) == (0, letter)


def test_a_command_moves_only_the_hand_it_was_sent_to(server, hands):
    assert connect(server, "right").send_command(0, command(0.15)).error_code == 0
    np.testing.assert_allclose(hands["right"].position, 0.15)
    np.testing.assert_allclose(hands["left"].position, 0.1)


def test_a_state_is_renewed_by_a_command_or_a_forced_read_only(server, hands):
    device = connect(server, "left")
    assert device.read_state(0)[1].finger_state[3].position == pytest.approx(0.1)
    hands["left"].position[:] = 0.05
    assert device.read_state(0)[1].finger_state[3].position == pytest.approx(0.1)
    assert device.read_state(0, True)[1].finger_state[3].position == pytest.approx(0.05)
    device.send_command(0, command(0.12))
    assert device.read_state(0)[1].finger_state[3].position == pytest.approx(0.12)


def test_with_the_usb_quirk_only_a_forced_read_is_new(server):
    server.faults("left").keeps_first = True
    device = connect(server, "left")
    device.read_state(0)
    device.send_command(0, command(0.12))
    assert device.read_state(0)[1].finger_state[3].position == pytest.approx(0.1)
    assert device.read_state(0, True)[1].finger_state[3].position == pytest.approx(0.12)


@pytest.mark.parametrize(
    ("position", "mode", "code"), [(math.nan, 3, 1501030), (2.5, 3, 1501030), (0.1, 4, 1501067), (0.15, 0, 0)]
)
def test_what_the_hand_cannot_do_is_refused_with_a_code_and_moves_nothing(server, hands, position, mode, code):
    device = connect(server, "left")
    assert device.send_command(0, command(position, mode)).error_code == code
    np.testing.assert_allclose(hands["left"].position, 0.1)


def test_pressing_on_something_reports_the_current_and_the_protection_code(server, hands):
    device = connect(server, "left")
    hands["left"].effort[4] = 0.4  # of 1.1 N m at 1200 mA
    error = device.send_command(0, command(0.1, tor_max=300))
    assert error.error_code == 1501035
    assert device.read_state(0)[1].finger_state[4].torque == pytest.approx(436, abs=1)
    assert device.send_command(0, command(0.1, tor_max=600)).error_code == 0


def test_velocity_temperature_and_fingertips_are_where_the_vendor_puts_them(server, hands):
    hands["right"].effort[5] = 0.2
    _, state = connect(server, "right").read_state(0, True)
    assert state.finger_state[5].default5 == 0
    assert state.finger_state[5].temperature & 0xFF == 32
    assert state.sensor_data[1].calc_force.fz == 50
    assert len(state.sensor_data[1].raw_force) == 120


def test_injected_codes_and_nan_are_reported(server):
    device, faults = connect(server, "left"), server.faults("left")
    faults.error_code, faults.error_message = 1501070, "crc"
    faults.joint_error[7], faults.not_finite = 1501028, True
    error, state = device.read_state(0, True)
    assert (error.error_code, error.error_message) == (1501070, "crc")
    assert state.finger_state[7].jonitboard_err == 1501028
    assert math.isnan(state.finger_state[0].position)


def test_an_unplugged_hand_answers_with_a_code_and_comes_back_on_another_port(server):
    device = connect(server, "right")
    server.unplug("right")
    assert device.read_state(0, True)[0].error_code == 1501003
    assert len(device.enumerate_devices("RS485")) == 1
    server.plug("right", "ttyUSB7")
    assert any(port.endswith("/ttyUSB7") for port in device.enumerate_devices("RS485"))
    assert connect(server, "right").read_state(0, True)[0].error_code == 0


def test_a_frozen_hand_does_not_answer_until_it_thaws(server):
    device = connect(server, "left")
    server.faults("left").frozen = True
    answered = threading.Event()
    threading.Thread(target=lambda: (device.read_state(0, True), answered.set()), daemon=True).start()
    assert not answered.wait(0.1)
    server.faults("left").frozen = False
    assert answered.wait(5.0)


@pytest.mark.parametrize(
    ("port", "baud", "code"),
    [
        ("{address}/ttyUSB9", 3_000_000, 1501039),
        ("{address}/ttyUSB0", 115200, 1501050),
        ("127.0.0.1:1/x", 3_000_000, 1501039),
    ],
)
def test_a_port_that_cannot_be_opened_says_why(server, port, baud, code):
    error = xhand_control.XHandControl().open_serial(port.format(address=server.address), baud)
    assert error.error_code == code
    assert error.error_message


def test_calls_without_an_open_port_or_with_another_id_are_refused(server):
    device = xhand_control.XHandControl()
    assert device.read_state(0)[0].error_code == 1501038
    assert connect(server, "left").send_command(5, command(0.1)).error_code == 1501001


def test_without_a_server_there_are_no_ports(monkeypatch):
    monkeypatch.setenv(xhand_control.SERVER_VARIABLE, "127.0.0.1:1")
    assert xhand_control.XHandControl().enumerate_devices("RS485") == []
