"""A driver and the calibration agree on which arm this is, or nothing starts."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_description.hardware import Hardware, HardwareError, RobotKind, parse_hardware
from vitra_description.names import ArmVariant
from vitra_policy.action_space import Side

REAL = Hardware(RobotKind.REAL, ArmVariant.RM75_6F, left_arm_ip="192.168.1.19", right_arm_ip="192.168.1.18")
SIM = Hardware(RobotKind.SIM)


def test_what_agrees_starts() -> None:
    REAL.check_arm("left", "192.168.1.19", ArmVariant.RM75_6F, "'lab'")
    SIM.check_arm("right", "127.0.0.12", ArmVariant.RM75_6F, "'sim'")
    Hardware().check_arm("right", "127.5.0.12", ArmVariant.RM75_6F, "'old'")


@pytest.mark.parametrize(
    ("hardware", "side", "ip", "variant", "words"),
    [
        (SIM, "left", "192.168.1.19", ArmVariant.RM75_6F, "is of the simulator"),
        (Hardware(), "left", "192.168.1.19", ArmVariant.RM75_6F, "nobody knows which robot"),
        (REAL, "right", "192.168.1.19", ArmVariant.RM75_6F, "that is its left arm"),
        (REAL, "right", "192.168.1.77", ArmVariant.RM75_6F, "says 192.168.1.18"),
        (REAL, "right", "192.168.1.18", ArmVariant.RM75_B, "variant b"),
    ],
)
def test_what_does_not_agree_is_refused_with_what_to_change(
    hardware: Hardware, side: str, ip: str, variant: ArmVariant, words: str
) -> None:
    with pytest.raises(HardwareError, match=words):
        hardware.check_arm(side, ip, variant, "'x'")


def test_where_an_arm_stands_that_is_not_driven() -> None:
    hardware = parse_hardware({"left_arm_parked_deg": [0, 90, 0, -45.5, 0, 0, 0]}, "x: hardware")
    assert list(hardware.parked_rad(["right"])) == [Side.LEFT]
    np.testing.assert_allclose(hardware.parked_rad(["right"])[Side.LEFT][1], np.pi / 2)
    assert hardware.parked_rad(["left", "right"]) == {}
    assert hardware.parked_rad(["left"]) == {}, "nobody said that there is a right arm"


@pytest.mark.parametrize(
    "value", [[0.0] * 6, [0.0] * 6 + [float("nan")], [400.0] * 7, "0 0 0 0 0 0 0", [True] * 7, None]
)
def test_a_parked_posture_that_is_none_is_refused_by_name(value: object) -> None:
    with pytest.raises(HardwareError, match="x: hardware.right_arm_parked_deg must be 7 joint positions in degrees"):
        parse_hardware({"right_arm_parked_deg": value}, "x: hardware")
