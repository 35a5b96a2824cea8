"""URDF text: the shipped flat files, and the whole robot with the mounting of a calibration."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pinocchio as pin
import xacro

from vitra_description.calibration import Calibration, Pose
from vitra_description.hand_description import HandDescription
from vitra_description.hands import HANDS, hand_description
from vitra_description.names import SIDES, ArmVariant, Side
from vitra_policy.errors import UnknownNameError

URDF_FOLDER = Path(__file__).resolve().parent / "urdf"


FLAT_FILES: dict[str, tuple[str, dict[str, str]]] = {
    "arm_rm75_6f.urdf": ("arm.urdf.xacro", {"model": "6f"}),
    "arm_rm75_b.urdf": ("arm.urdf.xacro", {"model": "b"}),
    "robot.urdf": ("robot.urdf.xacro", {}),
} | {
    f"../hands/{hand}/{side}.urdf": (
        "hand.urdf.xacro",
        {"side": side, "hand_xacro": f"../hands/{hand}/hand.xacro"},
    )
    for hand in HANDS.built_in
    for side in SIDES
}
"""Generated files: name -> (xacro file, its arguments). `python -m vitra_description.description` rewrites them."""


def arm_urdf(model: str = ArmVariant.RM75_6F) -> Path:
    """Flat URDF of one arm alone (joints `joint_1..7`, links `base_link` .. `link_7`, `ee`)."""
    return URDF_FOLDER / f"arm_rm75_{ArmVariant(model)}.urdf"


def hand_urdf(side: str) -> Path:
    """Flat URDF of one XHand1 alone (root `{side}_hand_link`)."""
    return hand_description().urdf(Side(side))


def expand(file: str, **arguments: str) -> str:
    """URDF text of one of this package's xacro files with the given arguments."""
    document = xacro.process_file(str(URDF_FOLDER / file), mappings=arguments)
    for node in list(document.childNodes):  # xacro's banner holds the path of this checkout
        if node.nodeType == node.COMMENT_NODE:
            document.removeChild(node)
    return str(document.toprettyxml(indent="  "))


def robot_description(
    side: str = "both", calibration: Calibration | None = None, model: str = ArmVariant.RM75_6F
) -> str:
    """URDF text of the robot.

    Args:
        side: `left`, `right` or `both`.
        calibration: Mounting to insert; None takes the simulator's.
        model: Arm variant, `6f` or `b`.

    Raises:
        UnknownNameError: for another side or variant.
    """
    allowed = (*SIDES, "both")
    if side not in allowed:
        raise UnknownNameError("arms", side, allowed)
    if model not in tuple(ArmVariant):
        raise UnknownNameError("arm model", model, list(ArmVariant))
    arguments = {"arms": side, "model": model}
    if calibration is not None:
        arguments |= mounting_arguments(calibration) | {"hand_xacro": str(calibration.hand.xacro)}
    return expand("robot.urdf.xacro", **arguments)


def mounting_arguments(calibration: Calibration) -> dict[str, str]:
    """The calibration as arguments of `robot.urdf.xacro`."""
    poses = {"camera": calibration.base_from_head_camera}
    for side in SIDES:
        extrinsics = calibration.side(side)
        poses[f"{side}_arm"] = extrinsics.base_from_arm_base
        poses[f"{side}_hand"] = extrinsics.ee_from_hand_base
        poses[f"{side}_mount"] = extrinsics.hand_base_from_hand_mount
    return {key: text for name, pose in poses.items() for key, text in _origin(name, pose).items()}


def _origin(name: str, pose: Pose) -> dict[str, str]:
    rpy = pin.rpy.matrixToRpy(np.asarray(pose[:3, :3]))
    return {f"{name}_xyz": _text(pose[:3, 3]), f"{name}_rpy": _text(rpy)}


def _text(vector: Pose) -> str:
    return " ".join(repr(float(value)) for value in vector)


def write_flat_files() -> None:
    """Regenerate the shipped flat URDF files from the xacro files."""
    for name, (file, arguments) in FLAT_FILES.items():
        (URDF_FOLDER / name).write_text(expand(file, **arguments), encoding="utf-8")


def write_hand_files(hand: HandDescription) -> None:
    """Write `left.urdf` and `right.urdf` beside a hand's `hand.xacro`."""
    for side in SIDES:
        text = expand("hand.urdf.xacro", side=side, hand_xacro=str(hand.xacro))
        hand.urdf(side).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        write_flat_files()
    for name in sys.argv[1:]:
        write_hand_files(hand_description(name))
