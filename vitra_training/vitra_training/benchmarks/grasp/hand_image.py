"""A hand rendered into an image, hidden where the depth image is nearer: the capsule hand of rendered videos."""

from __future__ import annotations

from functools import cache
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import CameraIntrinsics
from vitra_policy.action_space import Side
from vitra_policy.hand.skeleton import default_skeleton
from vitra_policy.transforms import quaternion_from_matrix
from vitra_sim.scene.gl import choose_backend
from vitra_training.benchmarks.grasp.scene import Scene
from vitra_training.benchmarks.grasp.start import SHOULDER_M
from vitra_training.labeling.truth.hand_mesh import right_hand_mesh
from vitra_training.labeling.truth.scene import HandShape, Look, add_hand, arm_pose, joint_poses, paint
from vitra_training.labeling.truth.skin import paint_skin

choose_backend()
import mujoco  # noqa: E402

from vitra_sim.scene.camera import HeadCamera  # noqa: E402

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

_EYE = "eye"
_OVERSAMPLING = 2
_TOUCHING_MM = 5
"""A hand is drawn before a surface that it is behind by less: a depth image is not more exact."""
_LOOK = Look(skin=(0.88, 0.67, 0.54), sleeve=(0.30, 0.34, 0.42), sleeve_starts_m=0.2, clutter=0)
_SLEEVE_M = (0.23, 1.2)
"""From the wrist: on beyond the forearm, so that no arm ends within the image."""


class HandRenderer:
    """Draws one hand as a camera would see it.

    Args:
        side: Which hand.
        camera: Of the images; the principal point may lie anywhere.

    Raises:
        RenderingError: MuJoCo has no OpenGL here.
    """

    def __init__(self, side: Side, camera: CameraIntrinsics) -> None:
        self.side, self.camera = side, camera
        self._skeleton = default_skeleton()
        spec = mujoco.MjSpec()
        spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [0.45] * 3, [0.45] * 3
        add_hand(spec, side, HandShape(right_hand_mesh(), self._skeleton), _LOOK)
        spec.body(f"{side}_arm").add_geom(
            type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[0, 0, _SLEEVE_M[0], 0, 0, _SLEEVE_M[1]], size=[0.042, 0, 0],
            rgba=[*_LOOK.sleeve, 1.0],
        )  # fmt: skip
        eye = spec.worldbody.add_body(name=_EYE, quat=[0, 1, 0, 0])  # optical frame: x right, y down, z forward
        eye.add_camera(name=_EYE, **_lens(camera))
        self._model = spec.compile()
        self._model.vis.map.znear, self._model.stat.extent = 0.02, 1.0
        paint(self._model, f"{side}_skin", _painted())
        self._data = mujoco.MjData(self._model)
        k = _OVERSAMPLING
        large = CameraIntrinsics(
            k * camera.width_px, k * camera.height_px, k * camera.fx_px, k * camera.fy_px, k * camera.cx_px,
            k * camera.cy_px,
        )  # fmt: skip
        self._eye = HeadCamera(large, camera=_EYE)
        self._eye.load(self._model)

    def __enter__(self) -> HandRenderer:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Free the OpenGL context."""
        self._eye.close()

    def draw(self, scene: Scene, camera_from_wrist: Array, fingers_rad: Array) -> tuple[Image, Array]:
        """The scene's image (H, W, 3) with the hand in it, and how much of each pixel (H, W) the hand covers, 0 to 1.

        Args:
            scene: Image and depth of this camera.
            camera_from_wrist: (4, 4).
            fingers_rad: (45,), right-hand convention for both hands.
        """
        for joint, pose in enumerate(joint_poses(self._skeleton, fingers_rad, self.side)):
            self._put(f"{self.side}{joint}", camera_from_wrist @ pose)
        self._put(f"{self.side}_arm", arm_pose(camera_from_wrist[:3, 3], SHOULDER_M[self.side]))
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        hand = self._eye.render(self._data)
        size = hand.depth_mm.shape[1], hand.depth_mm.shape[0]
        behind = cv2.resize(scene.depth_mm, size, interpolation=cv2.INTER_NEAREST).astype(np.int64)
        shown = (hand.depth_mm > 0) & ((behind == 0) | (hand.depth_mm <= behind + _TOUCHING_MM))
        alpha = _smaller(shown.astype(np.float32), self.camera)
        colour = _smaller(hand.colour.astype(np.float32) * shown[..., None], self.camera)
        mixed = scene.image * (1 - alpha[..., None]) + colour
        return np.clip(mixed + 0.5, 0, 255).astype(np.uint8), alpha

    def _put(self, name: str, pose: Array) -> None:
        number = int(self._model.body(name).mocapid[0])
        x, y, z, w = quaternion_from_matrix(pose[:3, :3])
        self._data.mocap_pos[number], self._data.mocap_quat[number] = pose[:3, 3], (w, x, y, z)


class HandRenderers:
    """Renderers of one hand: the last one is kept for as long as the camera stays the same.

    Args:
        side: Which hand.
    """

    def __init__(self, side: Side) -> None:
        self._side = side
        self._last: HandRenderer | None = None

    def __enter__(self) -> HandRenderers:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def of(self, camera: CameraIntrinsics) -> HandRenderer:
        """The renderer of a camera; earlier ones are closed."""
        if self._last is None or self._last.camera != camera:
            self.close()
            self._last = HandRenderer(self._side, camera)
        return self._last

    def close(self) -> None:
        """Free the OpenGL context."""
        if self._last is not None:
            self._last.close()
            self._last = None


@cache
def _painted() -> Image:
    """The atlas of the hand's skin."""
    return paint_skin(default_skeleton(), _LOOK.skin, np.random.default_rng(0))


def _lens(camera: CameraIntrinsics) -> dict[str, list[float]]:
    """MuJoCo's camera with these intrinsics; it counts from the principal point to the middle of the image."""
    width, height = camera.width_px, camera.height_px
    return {
        "resolution": [width, height],
        "sensor_size": [1e-5 * width, 1e-5 * height],
        "focal_pixel": [camera.fx_px, camera.fy_px],
        "principal_pixel": [width / 2 - camera.cx_px, height / 2 - camera.cy_px],
    }


def _smaller(values: NDArray[np.float32], camera: CameraIntrinsics) -> Array:
    size = camera.width_px, camera.height_px
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), dtype=np.float64)
