"""The best mounting of camera and board together: least squares of the corners' errors in the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from vitra_calibration.board import Detection
from vitra_policy.transforms import invert_pose, make_pose, matrix_from_rotvec, rotvec_from_matrix

Array = NDArray[np.float64]
_OUTLIER_PX = 1.0


@dataclass(frozen=True, slots=True)
class Lens:
    """Intrinsics that project: K (3, 3) and plumb bob coefficients (5,)."""

    camera_matrix: Array
    distortion: Array

    def project(self, points_m: Array) -> Array:
        """Pixels (n, 2) of points (n, 3) in the camera's frame."""
        pixels, _ = cv2.projectPoints(points_m, np.zeros(3), np.zeros(3), self.camera_matrix, self.distortion)
        return np.asarray(pixels, dtype=np.float64).reshape(-1, 2)


@dataclass(frozen=True, slots=True)
class Mounting:
    """The two unknowns.

    Attributes:
        arm_base_from_camera: Pose of the camera, (4, 4).
        ee_from_board: Pose of the board on the flange, (4, 4).
    """

    arm_base_from_camera: Array
    ee_from_board: Array


def refine(
    start: Mounting, B: Sequence[Array], detections: Sequence[Detection], corners_m: Array, lens: Lens
) -> tuple[Mounting, Array]:
    """Least squares over both poses, robust against single wrong corners.

    Args:
        start: From a closed solution.
        B: arm_base_from_ee at every pose.
        detections: Corners seen at every pose.
        corners_m: All corners in the board's frame (N, 3).
        lens: Intrinsics.

    Returns:
        The mounting, and standard deviations of the camera's pose: rotation (3) [rad], translation (3) [m].
    """
    begin = np.r_[_vector(start.arm_base_from_camera), _vector(start.ee_from_board)]

    def errors(x: Array) -> Array:
        return pixel_errors(Mounting(_pose(x[:6]), _pose(x[6:])), B, detections, corners_m, lens).ravel()

    found = least_squares(errors, begin, loss="soft_l1", f_scale=_OUTLIER_PX, method="trf", x_scale="jac")
    freedom = max(1, found.fun.size - begin.size)
    variance = float(found.fun @ found.fun) / freedom
    jacobian = np.asarray(found.jac)
    covariance = np.linalg.pinv(jacobian.T @ jacobian) * variance
    mounting = Mounting(_pose(found.x[:6]), _pose(found.x[6:]))
    return mounting, np.sqrt(np.maximum(np.diag(covariance)[:6], 0.0))


def pixel_errors(
    mounting: Mounting, B: Sequence[Array], detections: Sequence[Detection], corners_m: Array, lens: Lens
) -> Array:
    """Projected minus seen corners of all poses (M, 2) [px].

    Args:
        mounting: Camera and board as supposed.
        B: Flange poses in the arm's base, (4, 4) each.
        detections: Corners seen at these poses.
        corners_m: The board's corners (N, 3) in its own frame.
        lens: Projects them.
    """
    camera_from_arm_base = invert_pose(mounting.arm_base_from_camera)
    seen = []
    for b, detection in zip(B, detections, strict=True):
        camera_from_board = camera_from_arm_base @ b @ mounting.ee_from_board
        points = corners_m[detection.ids] @ camera_from_board[:3, :3].T + camera_from_board[:3, 3]
        seen.append(lens.project(points) - detection.corners_px)
    return np.concatenate(seen)


def camera_from_board(detection: Detection, corners_m: Array, lens: Lens) -> Array:
    """Pose of the board in one image (4, 4), from its corners alone.

    Args:
        detection: Corners seen.
        corners_m: The board's corners (N, 3) in its own frame.
        lens: Of the camera.
    """
    points, pixels = corners_m[detection.ids], detection.corners_px
    _, rotation, translation = cv2.solvePnP(
        points, pixels, lens.camera_matrix, lens.distortion, flags=cv2.SOLVEPNP_IPPE
    )
    rotation, translation = cv2.solvePnPRefineLM(
        points, pixels, lens.camera_matrix, lens.distortion, rotation, translation
    )
    return np.asarray(make_pose(translation.ravel(), matrix_from_rotvec(rotation.ravel())))


def _vector(pose: Array) -> Array:
    return np.concatenate([rotvec_from_matrix(pose[:3, :3]), pose[:3, 3]])


def _pose(vector: Array) -> Array:
    return np.asarray(make_pose(vector[3:], matrix_from_rotvec(vector[:3])))
