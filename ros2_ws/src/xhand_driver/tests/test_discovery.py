"""Finding the right hand on whichever port."""

import contextlib

import pytest

from vitra_description.calibration import calibration_path
from vitra_runtime.exclusive import DeviceLock
from vitra_sim.doubles import xhand_control
from xhand_driver.discovery import PortSettings, find_hand
from xhand_driver.errors import HandNotFoundError
from xhand_driver.parameters import Parameters


def find(side, pause=lambda s: None, **settings):
    return find_hand(xhand_control.XHandControl, PortSettings(side, **settings), pause=pause)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_hand_is_found_by_what_it_says_it_is(server, side):
    found = find(side)
    assert found.control.get_hand_type(found.hand_id)[1] == side[0].upper()
    assert found.serial_number.startswith(f"2{side[0].upper()}")
    found.close()


def test_a_hand_is_found_on_another_port_after_a_replug(server):
    server.unplug("right")
    server.plug("right", "ttyACM3")
    found = find("right")
    assert found.port.endswith("/ttyACM3")
    found.close()


def test_both_sides_can_be_driven_and_a_second_driver_of_one_side_is_told_who_has_it(server):
    left, right = find("left"), find("right")
    with pytest.raises(HandNotFoundError, match="already driven by process"):
        find("right")
    right.close()
    find("right").close()
    left.close()


def test_a_port_that_is_only_being_looked_at_is_tried_again(server):
    looking = DeviceLock(f"xhand-{server.address}/ttyUSB1")
    found = find("right", pause=lambda s: looking.release())
    assert found.port.endswith("/ttyUSB1")
    found.close()


def test_a_missing_hand_is_explained_by_what_every_port_holds(server):
    server.unplug("right")
    with pytest.raises(HandNotFoundError, match=r"No right XHand found by RS485.*ttyUSB0: left hand.*dialout"):
        find("right")


def test_a_wrong_baud_rate_and_a_wrong_port_are_named(server):
    with pytest.raises(HandNotFoundError, match="115200 baud"):
        find("left", baud_rate=115200)
    with pytest.raises(HandNotFoundError, match="ttyUSB9: the port cannot be opened"):
        find("left", port_name=f"{server.address}/ttyUSB9")


def test_no_ports_at_all_on_ethercat_says_what_it_needs(server):
    with pytest.raises(HandNotFoundError, match=r"no ports at all.*setcap"):
        find("left", protocol="EtherCAT")


def test_an_sdk_that_raises_is_a_port_without_a_hand(server):
    class Raising(xhand_control.XHandControl):
        def list_hands_id(self):
            raise RuntimeError("segment 7")

    with pytest.raises(HandNotFoundError, match="RuntimeError: segment 7"):
        find_hand(Raising, PortSettings("left"), pause=lambda s: None)
    find("left").close()


def test_where_there_is_no_serial_port_nobody_is_sent_to_the_dialout_group(monkeypatch):
    monkeypatch.setenv(xhand_control.SERVER_VARIABLE, "127.0.0.1:1")  # nobody listens, as before the world is up
    with pytest.raises(HandNotFoundError, match="no serial port") as refused:
        find("right")
    assert "dialout" not in str(refused.value)


def test_only_the_hand_that_was_calibrated_is_taken(server):
    with contextlib.closing(find("right", serial_number="2R00SIMULATED001")) as hand:
        assert hand.serial_number == "2R00SIMULATED001"
    with pytest.raises(HandNotFoundError, match="right hand 2R00SIMULATED001, but the calibration was made with R7"):
        find("right", serial_number="R7")


def test_the_calibration_says_which_hand_that_is(tmp_path):
    path = tmp_path / "lab.yaml"
    text = calibration_path("sim").read_text()
    path.write_text(text.replace("  arm_variant: 6f", "  arm_variant: 6f\n  left_hand_serial: L7"))
    assert Parameters(side="left", calibration=str(path)).ports.serial_number == "L7"
    assert Parameters(side="right", calibration=str(path)).ports.serial_number == ""
    assert Parameters(side="left").ports.serial_number == ""
