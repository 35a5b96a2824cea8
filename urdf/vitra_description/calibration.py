"""The versioned calibration file: where arms, hands and head camera are, and the simulated camera's intrinsics."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from vitra_description.hand_description import HandDescription
from vitra_description.hands import hand_description
from vitra_description.hardware import Hardware, HardwareError, parse_hardware
from vitra_description.plausibility import problems
from vitra_policy.action_space import SIDES, Side
from vitra_policy.errors import UnknownNameError, VitraError
from vitra_policy.transforms import make_pose

Pose = NDArray[np.float64]

CALIBRATION_VARIABLE = "VITRA_CALIBRATION_DIR"
_SIDE_KEYS = ("base_from_{side}_arm_base", "{side}_ee_from_hand_base", "{side}_hand_base_from_hand_mount")
_POSE_KEYS = tuple(key.format(side=side) for side in SIDES for key in _SIDE_KEYS) + ("base_from_head_camera",)
_CAMERA_KEYS = ("width_px", "height_px", "fx_px", "fy_px", "cx_px", "cy_px")
_ROTATION_TOLERANCE = 1e-6


class CalibrationError(VitraError):
    """A calibration file that is missing, malformed or geometrically impossible."""


@dataclass(frozen=True, slots=True)
class CameraIntrinsics:
    """Pinhole camera without distortion, pixels."""

    width_px: int
    height_px: int
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Camera matrix K, shape (3, 3)."""
        return np.array([[self.fx_px, 0, self.cx_px], [0, self.fy_px, self.cy_px], [0, 0, 1]], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class SideCalibration:
    """Extrinsics of one arm and hand, each a pose of shape (4, 4) in metres."""

    base_from_arm_base: Pose
    ee_from_hand_base: Pose
    hand_base_from_hand_mount: Pose

    @property
    def ee_from_hand_mount(self) -> Pose:
        """The MANO wrist frame in the flange frame, shape (4, 4)."""
        return self.ee_from_hand_base @ self.hand_base_from_hand_mount


@dataclass(frozen=True, slots=True)
class Calibration:
    """Where everything is; `base` is the robot's `base_link`, the camera is its colour optical frame.

    Attributes:
        version: Free text from the file; raise it with every new calibration.
        sha256: Hash of the file's text; carried in bags and datasets.
        left: Extrinsics of the left arm and hand.
        right: Extrinsics of the right arm and hand.
        base_from_head_camera: Pose of the colour optical frame in the base, shape (4, 4).
        head_camera: Nominal intrinsics, used by the simulator; a real camera reports its own.
        hardware: What the robot is made of; required of a real robot.
    """

    version: str
    sha256: str
    left: SideCalibration
    right: SideCalibration
    base_from_head_camera: Pose
    head_camera: CameraIntrinsics
    hardware: Hardware = Hardware()

    @property
    def hand(self) -> HandDescription:
        """Description of the hands that the robot has."""
        return hand_description(self.hardware.hand)

    def side(self, side: str) -> SideCalibration:
        """Extrinsics of one side."""
        return self.left if side == Side.LEFT else self.right

    def head_camera_from_arm_base(self, side: str) -> Pose:
        """Pose of one arm's base in the optical frame, shape (4, 4)."""
        return np.asarray(np.linalg.inv(self.base_from_head_camera) @ self.side(side).base_from_arm_base)


def calibration_path(name: str = "sim") -> Path:
    """The calibration file of a name or, where the name ends in .yaml or .yml, of a path.

    `<name>.yaml` is searched in `$VITRA_CALIBRATION_DIR`, the installed `vitra_bringup` package, then the checkout.
    Whether a path exists shows when it is read.

    Raises:
        UnknownNameError: if there is no such name; the message lists those found.
    """
    if name.endswith((".yaml", ".yml")):
        return Path(name).expanduser()
    folders = _calibration_folders()
    for folder in folders:
        path = folder / f"{name}.yaml"
        if path.is_file():
            return path
    found = {path.stem for folder in folders if folder.is_dir() for path in folder.glob("*.yaml")}
    hint = f"Put {name}.yaml in one of: {', '.join(map(str, folders))}; or set {CALIBRATION_VARIABLE}."
    raise UnknownNameError("calibration", name, found, hint)


def _calibration_folders() -> list[Path]:
    relative = Path("config") / "calibration"
    folders = [Path(os.environ[CALIBRATION_VARIABLE])] if os.environ.get(CALIBRATION_VARIABLE) else []
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    folders += [Path(prefix) / "share" / "vitra_bringup" / relative for prefix in prefixes if prefix]
    folders += [parent / "launch" / relative for parent in Path(__file__).resolve().parents[1:4]]
    return folders


def default_calibration() -> Calibration:
    """The simulator's calibration, `sim.yaml`."""
    return load_calibration(calibration_path("sim"))


def load_calibration(path: str | Path) -> Calibration:
    """Read and check a calibration file.

    The YAML holds `version`, one mapping `{translation_m: [x, y, z], rotation: 3x3 rows}` per transform named in the
    class (`base_from_left_arm_base`, ...), `head_camera` with the intrinsics in pixels, and `hardware` (see there).

    Raises:
        CalibrationError: naming the file and key, what was found and what is allowed.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CalibrationError(f"Cannot read calibration file {path}: {error}.") from error
    try:
        raw = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise CalibrationError(f"Calibration file {path} is not valid YAML: {error}") from error
    if not isinstance(raw, dict):
        raise CalibrationError(f"Calibration file {path} must hold a mapping, not {type(raw).__name__}.")
    allowed = (*_POSE_KEYS, "head_camera", "hardware", "version")
    for key in raw:
        if key not in allowed:
            raise CalibrationError(f"{path}: {UnknownNameError('calibration key', str(key), allowed)}")
    version = _get(raw, "version", path)
    poses = {key: _pose(_get(raw, key, path), f"{path}: {key}") for key in _POSE_KEYS}
    sides = {side: SideCalibration(*(poses[key.format(side=side)] for key in _SIDE_KEYS)) for side in SIDES}
    calibration = Calibration(
        version=str(version),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        left=sides[Side.LEFT],
        right=sides[Side.RIGHT],
        base_from_head_camera=poses["base_from_head_camera"],
        head_camera=_intrinsics(_get(raw, "head_camera", path), f"{path}: head_camera"),
        hardware=_hardware(raw.get("hardware"), f"{path}: hardware"),
    )
    if impossible := list(problems(calibration)):
        raise CalibrationError(f"{path}: {'; '.join(impossible)}.")
    return calibration


def _hardware(value: object, where: str) -> Hardware:
    try:
        return Hardware() if value is None else parse_hardware(value, where)
    except (HardwareError, UnknownNameError) as error:
        raise CalibrationError(str(error)) from error


def _get(raw: Mapping[str, object], key: str, where: object) -> object:
    if raw.get(key) is None:
        raise CalibrationError(f"{where}: '{key}' is missing; present: {', '.join(map(str, raw)) or 'nothing'}.")
    return raw[key]


def _numbers(value: object, shape: tuple[int, ...], where: str) -> NDArray[np.float64]:
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise CalibrationError(f"{where} must be numbers of shape {shape}, not {value!r}.") from None
    if array.shape != shape or not np.all(np.isfinite(array)):
        raise CalibrationError(f"{where} must be finite numbers of shape {shape}, not {value!r}.")
    return array


def _pose(value: object, where: str) -> Pose:
    if not isinstance(value, dict):
        raise CalibrationError(f"{where} must be a mapping with 'translation_m' and 'rotation', not {value!r}.")
    translation = _numbers(_get(value, "translation_m", where), (3,), f"{where}.translation_m")
    rotation = _numbers(_get(value, "rotation", where), (3, 3), f"{where}.rotation")
    error = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
    if error > _ROTATION_TOLERANCE:
        raise CalibrationError(f"{where}.rotation is not orthonormal (R R^T differs from 1 by {error:.2g}).")
    determinant = float(np.linalg.det(rotation))
    if determinant < 0:
        raise CalibrationError(f"{where}.rotation has determinant {determinant:.3f}: a mirror image. Swap one axis.")
    pose = np.asarray(make_pose(translation, rotation), dtype=np.float64)
    pose.setflags(write=False)
    return pose


def _intrinsics(value: object, where: str) -> CameraIntrinsics:
    if not isinstance(value, dict):
        raise CalibrationError(f"{where} must be a mapping with {', '.join(_CAMERA_KEYS)}, not {value!r}.")
    numbers = {key: float(_numbers(_get(value, key, where), (), f"{where}.{key}")) for key in _CAMERA_KEYS}
    for key, number in numbers.items():
        if number <= 0:
            raise CalibrationError(f"{where}.{key} must be positive, not {number}.")
    width, height = int(numbers.pop("width_px")), int(numbers.pop("height_px"))
    return CameraIntrinsics(width, height, **numbers)
