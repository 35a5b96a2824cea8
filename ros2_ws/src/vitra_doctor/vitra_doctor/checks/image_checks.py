"""Whether the head camera sees what the calibration says that it sees: lens, light, table and arms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import Calibration
from vitra_description.kinematics import ArmModel
from vitra_doctor.finding import Check, Complaint, Level
from vitra_doctor.graph import Images, sides_of
from vitra_policy.action_space import Side

Array = NDArray[np.float64]

_FOCAL_SHARE, _CENTRE_SHARE = 0.05, 0.08
_DARK, _FLAT, _BRIGHT = 12.0, 3.0, 245.0
_TABLE_X_M, _TABLE_Y_M = np.linspace(0.15, 0.65, 12), np.linspace(-0.4, 0.4, 17)
_TABLE_TOLERANCE_M, _LEAST_TABLE_SHARE, _LEAST_TABLE_POINTS = 0.03, 0.35, 20
_ARM_BEFORE_M, _ARM_BEHIND_M = 0.16, 0.06
"""A surface may be so far before the wrist's centre (hand, forearm), and so far behind it (thin parts, noise)."""
_PATCH_PX = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """Images, and what should be on them.

    Attributes:
        images: What came.
        calibration: Where camera and arms are.
        arms: Arms that are driven.
        joints_rad: Newest joints by device.
        table_height_m: Over base_link; below 0: no table.
    """

    images: Images
    calibration: Calibration
    arms: str
    joints_rad: dict[str, tuple[float, ...]]
    table_height_m: float


def _light(seen: Seen) -> Iterator[Complaint]:
    colour = seen.images.colour
    if colour is None:
        return
    mean, spread = float(colour.mean()), float(colour.std())
    if mean < _DARK or mean > _BRIGHT or spread < _FLAT:
        what = f"The camera shows nothing (mean {mean:.0f}, spread {spread:.1f} of 255)."
        yield Level.ERROR, what, "take off the lens cap, switch on the light"


def _frozen(seen: Seen) -> Iterator[Complaint]:
    if seen.images.count > 2 and seen.images.distinct == 1:
        what = f"{seen.images.count} images of the camera are the same: it is frozen."
        yield Level.WARNING, what, "replug the camera, or restart its node"


def _lens(seen: Seen) -> Iterator[Complaint]:
    K, nominal = seen.images.camera_matrix, seen.calibration.head_camera
    if K is None:
        yield Level.ERROR, "The camera does not say its intrinsics (camera_info).", "restart the camera's node"
        return
    width, height = seen.images.size_px
    scale = width / nominal.width_px
    focal, centre = nominal.fx_px * scale, np.array([width / 2, height / 2])
    if abs(K[0, 0] / focal - 1) > _FOCAL_SHARE or abs(K[1, 1] / K[0, 0] - 1) > _FOCAL_SHARE:
        what = f"The camera's focal length is {K[0, 0]:.0f} px at {width}x{height}, the calibration's {focal:.0f}."
        yield Level.ERROR, what, "vitra-calibrate intrinsics, or set the camera's size back"
    if np.abs(K[:2, 2] - centre).max() > _CENTRE_SHARE * width:
        what = (
            f"The camera's principal point is {np.round(K[:2, 2]).tolist()}, far from the middle of {width}x{height}."
        )
        yield Level.ERROR, what, "vitra-calibrate intrinsics"


def _table(seen: Seen) -> Iterator[Complaint]:
    """The table's plane, point by point: an inverted, shifted or tilted camera sees it elsewhere."""
    depth, K = seen.images.depth_mm, seen.images.camera_matrix
    if K is None or seen.table_height_m < 0:
        return
    if depth is None:
        yield Level.WARNING, "No depth image: camera and table cannot be compared.", "launch with the depth stream on"
        return
    x, y = np.meshgrid(_TABLE_X_M, _TABLE_Y_M)
    points = np.stack([x.ravel(), y.ravel(), np.full(x.size, seen.table_height_m)], axis=1)
    expected_m, pixels = _project(points, seen.calibration.base_from_head_camera, K)
    measured_m, inside = _depths(depth, pixels, expected_m)
    if inside.sum() < _LEAST_TABLE_POINTS:
        what = f"The camera sees {int(inside.sum())} of {len(points)} points of the table where the hands work."
        yield Level.ERROR, what, "point the camera at the table, then vitra-calibrate extrinsics"
        return
    error_m = (measured_m - expected_m)[inside]
    share = float(np.mean(np.abs(error_m) < _TABLE_TOLERANCE_M))
    if share < _LEAST_TABLE_SHARE:
        what = (
            f"The table is not where the calibration says: {share:.0%} of its points within "
            f"{_TABLE_TOLERANCE_M * 1e3:.0f} mm, the median is {np.median(error_m) * 1e3:+.0f} mm."
        )
        yield Level.ERROR, what, "measure the table's height (executor table_height_m), or vitra-calibrate extrinsics"


def _wrists(seen: Seen) -> Iterator[Complaint]:
    """Each wrist in the depth image: what the joints say and what the camera sees must agree."""
    depth, K = seen.images.depth_mm, seen.images.camera_matrix
    if depth is None or K is None:
        return
    for side in sides_of(seen.arms):
        joints = seen.joints_rad.get(f"{side}_arm")
        if joints is None:
            continue
        extrinsics = seen.calibration.side(Side(side))
        arm = ArmModel(seen.calibration.hardware.arm_variant, extrinsics)
        wrist = extrinsics.base_from_arm_base @ arm.wrist_pose(joints)
        point = (wrist @ np.append(_palm_from_mount(seen.calibration, side), 1.0))[:3]
        expected_m, pixels = _project(point[None], seen.calibration.base_from_head_camera, K)
        measured_m, inside = _depths(depth, pixels, expected_m)
        if not inside[0]:
            what = f"The camera does not see the {side} hand where it is now."
            yield Level.WARNING, what, "vitra-operate home, then vitra-doctor again"
            continue
        error_m = float(measured_m[0] - expected_m[0])
        if not -_ARM_BEFORE_M < error_m < _ARM_BEHIND_M:
            what = (
                f"Where the {side} hand should be, {expected_m[0]:.2f} m away, the camera sees something "
                f"{measured_m[0]:.2f} m away."
            )
            yield Level.ERROR, what, "vitra-calibrate extrinsics (camera moved, arms swapped, or another variant)"


def _palm_from_mount(calibration: Calibration, side: str) -> Array:
    """The palm's centre in the hand mount's axes [m]: 65 mm along the fingers of the hand's base."""
    hand_base_from_mount = calibration.side(Side(side)).hand_base_from_hand_mount
    return np.asarray((np.linalg.inv(hand_base_from_mount) @ np.array([0.0, 0.0, 0.065, 1.0]))[:3])


def _project(points: Array, base_from_camera: Array, K: Array) -> tuple[Array, Array]:
    """Depths [m] and pixels of points (n, 3) in base coordinates."""
    camera = np.c_[points, np.ones(len(points))] @ np.linalg.inv(base_from_camera).T
    depth_m = camera[:, 2]
    uv = camera[:, :3] @ K.T
    return depth_m, uv[:, :2] / np.where(np.abs(depth_m) > 1e-6, depth_m, 1e-6)[:, None]


def _depths(depth_mm: NDArray[np.uint16], pixels: Array, expected_m: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Measured depths [m] around pixels (n, 2), and where there is one within the image."""
    height, width = depth_mm.shape
    measured, inside = np.zeros(len(pixels)), np.zeros(len(pixels), dtype=bool)
    for i, (u, v) in enumerate(pixels):
        if expected_m[i] <= 0 or not (_PATCH_PX <= u < width - _PATCH_PX and _PATCH_PX <= v < height - _PATCH_PX):
            continue
        patch = depth_mm[int(v) - 2 : int(v) + 3, int(u) - 2 : int(u) + 3]
        if patch.any():
            measured[i], inside[i] = float(np.median(patch[patch > 0])) / 1e3, True
    return measured, inside


IMAGE_CHECKS: dict[str, Check[Seen]] = {
    "camera_light": _light,
    "camera_frozen": _frozen,
    "camera_lens": _lens,
    "camera_sees_table": _table,
    "camera_sees_hands": _wrists,
}
