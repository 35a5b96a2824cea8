"""URDF text: the shipped flat files, and the whole robot with the mounting of a calibration."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pinocchio as pin
import xacro

from vitra_description.arm_description import ArmDescription
from vitra_description.arms import ARMS, DEFAULT_ARM, arm_description
from vitra_description.calibration import Calibration, Pose
from vitra_description.hand_description import HandDescription
from vitra_description.hands import HANDS, hand_description
from vitra_description.names import ArmVariant as ArmVariant
from vitra_policy.action_space import SIDES, Side
from vitra_policy.errors import UnknownNameError, VitraError

URDF_FOLDER = Path(__file__).resolve().parent / "urdf"


FLAT_FILES: dict[str, tuple[str, dict[str, str]]] = {
    "../arms/rm75/6f.urdf": ("arm.urdf.xacro", {"model": "6f"}),
    "../arms/rm75/b.urdf": ("arm.urdf.xacro", {"model": "b"}),
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
    return arm_description(model).urdf


def hand_urdf(side: str) -> Path:
    """Flat URDF of one XHand1 alone (root `{side}_hand_link`)."""
    return hand_description().urdf(Side(side))


def expand(file: str, **arguments: str) -> str:
    """URDF text of one of this package's xacro files with the given arguments."""
    return _expanded(file, tuple(sorted(arguments.items())))


@cache  # half a second each, and simulated episodes ask for the same robot again and again
def _expanded(file: str, arguments: tuple[tuple[str, str], ...]) -> str:
    document = xacro.process_file(str(URDF_FOLDER / file), mappings=dict(arguments))
    for node in list(document.childNodes):  # xacro's banner holds the path of this checkout
        if node.nodeType == node.COMMENT_NODE:
            document.removeChild(node)
    return str(document.toprettyxml(indent="  "))


def robot_description(side: str = "both", calibration: Calibration | None = None, model: str | None = None) -> str:
    """URDF text of the robot.

    Args:
        side: `left`, `right` or `both`.
        calibration: Mounting to insert; None takes the simulator's.
        model: Arm by name; None takes the calibration's.

    Raises:
        UnknownNameError: for another side or variant.
    """
    allowed = (*SIDES, "both")
    if side not in allowed:
        raise UnknownNameError("arms", side, allowed)
    arm = arm_description(model or (calibration.hardware.arm_variant if calibration else DEFAULT_ARM))
    arguments = {"arms": side, "model": arm.name, "arm_xacro": str(arm.xacro)}
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


def write_arm_file(arm: ArmDescription) -> None:
    """Write the flat URDF of an arm from its macro."""
    text = expand("arm.urdf.xacro", model=arm.name, arm_xacro=str(arm.xacro))
    arm.urdf.write_text(text, encoding="utf-8")


def write_hand_files(hand: HandDescription) -> None:
    """Write `left.urdf` and `right.urdf` beside a hand's `hand.xacro`."""
    for side in SIDES:
        text = expand("hand.urdf.xacro", side=side, hand_xacro=str(hand.xacro))
        hand.urdf(side).write_text(text, encoding="utf-8")


def main(names: list[str]) -> int:
    """Write the files of arms and hands by their names; without any, the shipped ones."""
    try:
        if not names:
            write_flat_files()
        for name in names:
            if name in ARMS.names():
                write_arm_file(arm_description(name))
            else:
                write_hand_files(hand_description(name))
    except VitraError as error:
        print(f"description: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
