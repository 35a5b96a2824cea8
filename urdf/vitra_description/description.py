"""URDF text: the shipped flat files, and the whole robot with the mounting of a calibration."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pinocchio as pin
import xacro

from vitra_description.calibration import Calibration, Pose
from vitra_description.names import SIDES, ArmVariant, Side
from vitra_policy.errors import UnknownNameError

URDF_FOLDER = Path(__file__).resolve().parent / "urdf"


FLAT_FILES: dict[str, tuple[str, dict[str, str]]] = {
    "arm_rm75_6f.urdf": ("arm.urdf.xacro", {"model": "6f"}),
    "arm_rm75_b.urdf": ("arm.urdf.xacro", {"model": "b"}),
    "xhand_left.urdf": ("xhand.urdf.xacro", {"side": "left"}),
    "xhand_right.urdf": ("xhand.urdf.xacro", {"side": "right"}),
    "robot.urdf": ("robot.urdf.xacro", {}),
}
"""Generated files: name -> (xacro file, its arguments). `python -m vitra_description.description` rewrites them."""


def arm_urdf(model: str = ArmVariant.RM75_6F) -> Path:
    """Flat URDF of one arm alone (joints `joint_1..7`, links `base_link` .. `link_7`, `ee`)."""
    return URDF_FOLDER / f"arm_rm75_{ArmVariant(model)}.urdf"


def hand_urdf(side: str) -> Path:
    """Flat URDF of one hand alone (root `{side}_hand_link`)."""
    return URDF_FOLDER / f"xhand_{Side(side)}.urdf"


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
        arguments |= mounting_arguments(calibration)
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


if __name__ == "__main__":
    write_flat_files()
