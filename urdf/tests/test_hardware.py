"""A driver and the calibration agree on which arm this is, or nothing starts."""

from __future__ import annotations

import pytest

from vitra_description.hardware import Hardware, HardwareError, RobotKind
from vitra_description.names import ArmVariant

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
