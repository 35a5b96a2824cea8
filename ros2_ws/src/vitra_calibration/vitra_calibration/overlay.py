"""The arms' model drawn into the image: where it lies on the arms, the calibration is right."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from vitra_calibration.refine import Lens
from vitra_description.calibration import Calibration
from vitra_description.description import arm_urdf
from vitra_description.kinematics import ArmModel
from vitra_policy.transforms import invert_pose

Array = NDArray[np.float64]
_COLOURS = {"left": (70, 160, 255), "right": (255, 120, 60)}
_AXIS_M = 0.06


class ArmOverlay:
    """Draws bones from joint to joint and the axes of the hand mount.

    Args:
        calibration: Where camera and arms are.
        lens: Intrinsics of the images.
    """

    def __init__(self, calibration: Calibration, lens: Lens) -> None:
        self._calibration, self._lens = calibration, lens
        variant = calibration.hardware.arm_variant
        self._model = pin.buildModelFromUrdf(str(arm_urdf(variant)))
        self._data = self._model.createData()
        self._arms = {side: ArmModel(variant, calibration.side(side)) for side in _COLOURS}

    def draw(self, image: NDArray[np.uint8], joints_rad: Mapping[str, Array]) -> NDArray[np.uint8]:
        """A copy of the image (H, W, 3) with the arms whose joints (7,) are given."""
        drawn = image.copy()
        for side, q in joints_rad.items():
            bones, axes = self.pixels(side, q)
            colour = _COLOURS[side]
            cv2.polylines(drawn, [np.round(bones).astype(np.int32)], False, colour, 2, cv2.LINE_AA)
            for pixel in bones:
                cv2.circle(drawn, tuple(int(v) for v in pixel), 4, colour, -1, cv2.LINE_AA)
            for tip, hue in zip(axes[1:], ((255, 0, 0), (0, 255, 0), (0, 0, 255)), strict=True):
                cv2.line(drawn, _point(axes[0]), _point(tip), hue, 2, cv2.LINE_AA)
        return drawn

    def pixels(self, side: str, q_rad: Array) -> tuple[Array, Array]:
        """Pixels of the joints in view (n, 2), base first, and of the hand mount's origin and axes' tips (4, 2)."""
        extrinsics = self._calibration.side(side)
        camera_from_base = invert_pose(self._calibration.base_from_head_camera) @ extrinsics.base_from_arm_base
        pin.forwardKinematics(self._model, self._data, np.asarray(q_rad))
        points = np.array([pose.translation for pose in self._data.oMi[1:]])
        mount = self._arms[side].wrist_pose(q_rad)
        tips = mount[:3, 3] + np.r_[np.zeros((1, 3)), _AXIS_M * mount[:3, :3].T]
        return self._project(np.r_[points, mount[None, :3, 3]], camera_from_base), self._project(tips, camera_from_base)

    def _project(self, points: Array, camera_from_base: Array) -> Array:
        seen = points @ camera_from_base[:3, :3].T + camera_from_base[:3, 3]
        seen = seen[seen[:, 2] > 0.05]
        return self._lens.project(seen) if len(seen) else np.zeros((0, 2))


def _point(pixel: Array) -> tuple[int, int]:
    return int(round(float(pixel[0]))), int(round(float(pixel[1])))
