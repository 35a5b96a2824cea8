"""Whether the hardware that answers is the hardware that the calibration describes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vitra_description.calibration import Calibration
from vitra_description.hardware import RobotKind
from vitra_description.names import ArmVariant
from vitra_doctor.finding import Check, Complaint, Level
from vitra_doctor.graph import Graph, sides_of
from vitra_policy.action_space import Side

_VARIANT_WORDS: dict[str, str] = {ArmVariant.RM75_6F: "RM_75-6F", ArmVariant.RM75_B: "RM_75-B"}


@dataclass(frozen=True, slots=True)
class Answering:
    """A calibration and a graph.

    Attributes:
        calibration: None: it cannot be read, see `problem`.
        problem: Why it cannot be read.
        name: What the calibration was asked for by.
        graph: What the drivers said.
        arms: Arms that are driven.
        real: Whether a real robot is to be driven.
    """

    calibration: Calibration | None
    problem: str
    name: str
    graph: Graph
    arms: str
    real: bool


def _calibration(seen: Answering) -> Iterator[Complaint]:
    if seen.calibration is None:
        yield Level.ERROR, seen.problem, "vitra-calibrate --help, or correct the file"
    elif seen.real and seen.calibration.hardware.robot is not RobotKind.REAL:
        what = (
            f"The calibration '{seen.name}' is not of a real robot (hardware.robot: {seen.calibration.hardware.robot})."
        )
        yield Level.ERROR, what, "vitra-calibrate, then launch with calibration:=/path/to/it.yaml"


def _controllers(seen: Answering) -> Iterator[Complaint]:
    if seen.calibration is None:
        return
    hardware = seen.calibration.hardware
    addresses: dict[str, str] = {}
    for side in sides_of(seen.arms):
        said = seen.graph.devices.get(f"{side}_arm", {})
        identity, address = said.get("arm", ""), said.get("hardware_id", "").rsplit(":", 1)[0]
        if not identity:
            yield (
                Level.ERROR,
                f"The {side} arm's controller has not said what it is.",
                "its power, and: ping " + address,
            )
            continue
        wanted = _VARIANT_WORDS.get(hardware.arm_variant, str(hardware.arm_variant))
        if not identity.startswith(wanted):
            found = identity.split(",")[0]
            what = f"The {side} arm is a {found}, calibrated was a {wanted}: their wrists are centimetres apart."
            yield Level.ERROR, what, f"set hardware.arm_variant in the calibration '{seen.name}', and calibrate again"
        known = hardware.arm_ip(side)
        if known and address != known:
            other = hardware.arm_ip(Side(side).other)
            swapped = " That is the other arm's." if address == other else ""
            what = f"The {side} arm's driver talks to {address}, the calibration says {known}.{swapped}"
            yield Level.ERROR, what, f"launch with {side}_arm_ip:={known}"
        addresses[side] = address
    if len(addresses) > len(set(addresses.values())):
        yield Level.ERROR, "Both arms' drivers talk to one controller.", "launch with left_arm_ip:= and right_arm_ip:="


def _hands(seen: Answering) -> Iterator[Complaint]:
    if seen.calibration is None:
        return
    hardware = seen.calibration.hardware
    known = {side: hardware.hand_serial(side) for side in ("left", "right")}
    for side in sides_of(seen.arms):
        serial = seen.graph.devices.get(f"{side}_hand", {}).get("hardware_id", "").split(" on ")[0]
        other = known[Side(side).other]
        if not serial:
            yield Level.ERROR, f"The {side} hand has not said its serial number.", "power and cable of the hand"
        elif known[side] and serial != known[side]:
            swapped = " That is the other hand's: left and right are swapped." if serial == other else ""
            what = f"The {side} hand has the serial number {serial}, the calibration says {known[side]}.{swapped}"
            yield Level.ERROR, what, "plug the calibrated hand in, or calibrate with this one (vitra-calibrate)"
        elif not known[side] and seen.real:
            what = f"The calibration '{seen.name}' does not say which {side} hand it was made with."
            yield Level.WARNING, what, f"add `{side}_hand_serial: {serial}` to its `hardware`"


IDENTITY_CHECKS: dict[str, Check[Answering]] = {
    "calibration": _calibration,
    "controller_identity": _controllers,
    "hand_identity": _hands,
}
