"""What the robot is made of, said once, in its calibration: simulated or real, arm variant, addresses, serials."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_description.arms import ARMS, DEFAULT_ARM
from vitra_description.hands import DEFAULT_HAND, HANDS
from vitra_description.names import ARM_DOF
from vitra_policy.action_space import SIDES, Side
from vitra_policy.errors import UnknownNameError, VitraError

_PARKED = ("left_arm_parked_deg", "right_arm_parked_deg")


class HardwareError(VitraError):
    """Hardware that is not what the calibration says it is."""


class RobotKind(StrEnum):
    """What a calibration was made for."""

    SIM = "sim"
    REAL = "real"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Hardware:
    """The `hardware` entry of a calibration file; empty texts are not known and not checked.

    Attributes:
        robot: What it describes.
        arm_variant: Both arms' kind (`vitra_description.arms`); it decides the length of the last link.
        left_arm_ip: Address of the left arm's controller.
        right_arm_ip: The same for the right arm.
        left_hand_serial: Serial number of the left hand.
        right_hand_serial: The same for the right hand.
        hand: Kind of both hands (`vitra_description.hands`).
        left_arm_parked_deg: Joints (7) at which the left arm stands while it is not driven; empty: there is none then.
        right_arm_parked_deg: The same for the right arm.
    """

    robot: RobotKind = RobotKind.UNKNOWN
    arm_variant: str = DEFAULT_ARM
    left_arm_ip: str = ""
    right_arm_ip: str = ""
    left_hand_serial: str = ""
    right_hand_serial: str = ""
    hand: str = DEFAULT_HAND
    left_arm_parked_deg: tuple[float, ...] = ()
    right_arm_parked_deg: tuple[float, ...] = ()

    def parked_rad(self, driven: Iterable[str]) -> dict[Side, NDArray[np.float64]]:
        """Joints (7,) of the arms that stand there and are not driven."""
        parked = {Side.LEFT: self.left_arm_parked_deg, Side.RIGHT: self.right_arm_parked_deg}
        return {side: np.deg2rad(parked[side]) for side in SIDES if side not in driven and parked[side]}

    def arm_ip(self, side: str) -> str:
        """Address of one arm's controller; empty where it is not known."""
        return self.left_arm_ip if side == Side.LEFT else self.right_arm_ip

    def hand_serial(self, side: str) -> str:
        """Serial number of one hand; empty where it is not known."""
        return self.left_hand_serial if side == Side.LEFT else self.right_hand_serial

    def check_arm(self, side: str, ip: str, variant: str, where: str) -> None:
        """Compare an arm driver's parameters with the description.

        Args:
            side: `left` or `right`.
            ip: Address of the controller that the driver is about to use.
            variant: Variant that it reckons with.
            where: Names the calibration in the message.

        Raises:
            HardwareError: saying what differs and which of the two to change.
        """
        if not is_loopback(ip) and self.robot is not RobotKind.REAL:
            made_for = "the simulator" if self.robot is RobotKind.SIM else "nobody knows which robot"
            raise HardwareError(
                f"The {side} arm at {ip} is a real one, but the calibration {where} is of {made_for}. Calibrate it, "
                "write `hardware: {robot: real, ...}` into the file, and start with calibration:=/path/to/it.yaml."
            )
        known = self.arm_ip(side)
        if known and ip != known:
            other = Side(side).other
            swapped = f" (that is its {other} arm)" if ip == self.arm_ip(other) else ""
            raise HardwareError(
                f"The {side} arm's driver is told to use {ip}{swapped}; the calibration {where} says {known}. "
                f"Set {side}_arm_ip:={known}, or correct the calibration."
            )
        if variant != self.arm_variant:
            raise HardwareError(
                f"The {side} arm's driver reckons with variant {variant}; the calibration {where} was made for "
                f"{self.arm_variant}. Their wrists are centimetres apart: set force_type, or correct the file."
            )


def is_loopback(ip: str) -> bool:
    """Whether an address is of this machine itself, where only simulated arms answer."""
    try:
        return ipaddress.ip_address(ip).is_loopback
    except ValueError:
        return ip == "localhost"


def parse_hardware(value: object, where: str) -> Hardware:
    """The `hardware` entry of a calibration file.

    Raises:
        HardwareError: no mapping, or a value that is not allowed.
        UnknownNameError: a key or a word that does not exist.
    """
    if not isinstance(value, Mapping):
        raise HardwareError(f"{where} must be a mapping, not {value!r:.80}.")
    fields = Hardware.__dataclass_fields__
    for key in value:
        if key not in fields:
            raise UnknownNameError(f"key of {where}", str(key), fields)
    parked: dict[str, Any] = {key: _joints_deg(value[key], f"{where}.{key}") for key in _PARKED if key in value}
    texts: dict[str, Any] = {
        key: str(entry) for key, entry in value.items() if key not in ("robot", "arm_variant", *_PARKED)
    }
    for key in ("left_arm_ip", "right_arm_ip"):
        if texts.get(key):
            try:
                ipaddress.ip_address(texts[key])
            except ValueError:
                raise HardwareError(
                    f"{where}.{key} must be an address like 192.168.1.18, not {texts[key]!r}."
                ) from None
    if texts.get("left_arm_ip") and texts.get("left_arm_ip") == texts.get("right_arm_ip"):
        raise HardwareError(f"{where}: both arms have the address {texts['left_arm_ip']}.")
    robot, variant = str(value.get("robot", "unknown")), str(value.get("arm_variant", DEFAULT_ARM))
    if robot not in tuple(RobotKind):
        raise UnknownNameError(f"{where}.robot", robot, tuple(RobotKind))
    if variant not in ARMS.names():
        raise UnknownNameError(f"{where}.arm_variant", variant, ARMS.names())
    if texts.get("hand", DEFAULT_HAND) not in HANDS.names():
        raise UnknownNameError(f"{where}.hand", texts["hand"], HANDS.names())
    return Hardware(RobotKind(robot), variant, **texts, **parked)


def _joints_deg(value: object, where: str) -> tuple[float, ...]:
    numbers = value if isinstance(value, list) else []
    known = [float(n) for n in numbers if isinstance(n, (int, float)) and not isinstance(n, bool)]
    if len(numbers) != ARM_DOF or len(known) != ARM_DOF or not all(math.isfinite(n) and abs(n) <= 360.0 for n in known):
        raise HardwareError(f"{where} must be {ARM_DOF} joint positions in degrees (-360..360), not {value!r:.80}.")
    return tuple(known)
