"""The head camera: colour and depth of a MuJoCo scene from one rendering."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import CameraIntrinsics
from vitra_policy.errors import VitraError
from vitra_sim.scene.robot_model import HEAD_CAMERA


class RenderingError(VitraError):
    """The machine cannot render."""


@dataclass(frozen=True, slots=True)
class RenderedImage:
    """One rendering; the arrays are views that the next rendering overwrites.

    Attributes:
        colour: (height, width, 3) uint8 RGB.
        depth_mm: (height, width) uint16 distance along the optical axis; 0 where nothing is within range.
    """

    colour: NDArray[np.uint8]
    depth_mm: NDArray[np.uint16]


def scaled_intrinsics(nominal: CameraIntrinsics, width_px: int, height_px: int) -> CameraIntrinsics:
    """Intrinsics of the same lens at another image size: same horizontal field of view, square pixels, centred.

    Args:
        nominal: Of the real image size.
        width_px: Of the wanted image.
        height_px: Of the wanted image.
    """
    scale = width_px / nominal.width_px
    return CameraIntrinsics(
        width_px, height_px, nominal.fx_px * scale, nominal.fx_px * scale, width_px / 2, height_px / 2
    )


_MAX_DEPTH_MM = 6000  # as a D455's useful range


class HeadCamera:
    """Renders one model after another at a fixed size, off screen.

    Everything that costs on a software renderer is off: multisampling, reflections, fine tessellation.

    Args:
        intrinsics: pinhole camera to render; centred.
        shadows: draw shadows (about 10 ms more on one core).
        camera: name of the model's camera.

    Raises:
        RenderingError: MuJoCo has no OpenGL backend here.
    """

    def __init__(self, intrinsics: CameraIntrinsics, *, shadows: bool = False, camera: str = HEAD_CAMERA) -> None:
        self.intrinsics, self._shadows, self._camera_name = intrinsics, shadows, camera
        width, height = intrinsics.width_px, intrinsics.height_px
        context_type = getattr(mujoco, "GLContext", None)
        if context_type is None:
            raise RenderingError(
                "MuJoCo found no OpenGL to render with. Install libosmesa6 (apt-get install libosmesa6) and set "
                "MUJOCO_GL=osmesa, or use MUJOCO_GL=egl with a GPU."
            )
        self._gl = context_type(width, height)
        self._gl.make_current()
        self._rectangle = mujoco.MjrRect(0, 0, width, height)
        self._option = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._colour = np.empty((height, width, 3), dtype=np.uint8)
        self._depth = np.empty((height, width), dtype=np.float32)
        self._depth_mm = np.empty((height, width), dtype=np.uint16)
        self._context: mujoco.MjrContext | None = None

    def load(self, model: mujoco.MjModel) -> None:
        """Render this model from now on; its visual quality settings are lowered in place."""
        quality = model.vis.quality
        quality.offsamples, quality.shadowsize = 0, 1024 if self._shadows else 16
        quality.numslices, quality.numstacks, quality.numquads = 14, 8, 1
        model.vis.global_.offwidth, model.vis.global_.offheight = self._rectangle.width, self._rectangle.height
        camera_id = model.camera(self._camera_name).id
        if self._camera_name == HEAD_CAMERA:
            fovy = 2 * np.arctan2(self.intrinsics.height_px / 2, self.intrinsics.fy_px)
            model.cam_fovy[camera_id] = np.rad2deg(fovy)
        self._camera.type, self._camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, camera_id
        self._gl.make_current()
        if self._context:
            self._context.free()
        self._model = model
        self._scene = mujoco.MjvScene(model, maxgeom=500)
        for flag in (mujoco.mjtRndFlag.mjRND_REFLECTION, mujoco.mjtRndFlag.mjRND_HAZE):
            self._scene.flags[flag] = 0
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = int(self._shadows)
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        near, far = model.vis.map.znear * model.stat.extent, model.vis.map.zfar * model.stat.extent
        self._near_far = (near, far)

    def render(self, data: mujoco.MjData) -> RenderedImage:
        """Draw the present state; `data` must have its kinematics computed."""
        self.draw(data)
        return RenderedImage(self.read_colour(), self.read_depth())

    def draw(self, data: mujoco.MjData) -> None:
        """Draw the present state; what is not read before the next drawing is lost."""
        mujoco.mjv_updateScene(
            self._model, data, self._option, None, self._camera, mujoco.mjtCatBit.mjCAT_ALL, self._scene
        )
        mujoco.mjr_render(self._rectangle, self._scene, self._context)

    def read_colour(self) -> NDArray[np.uint8]:
        """Colour of what was drawn, (height, width, 3) RGB; a view that the next reading overwrites."""
        mujoco.mjr_readPixels(self._colour, None, self._rectangle, self._context)
        return self._colour[::-1]  # OpenGL's first row is the lowest

    def read_depth(self) -> NDArray[np.uint16]:
        """Depth of what was drawn, (height, width) in millimetres; a view that the next reading overwrites."""
        assert self._context is not None
        mujoco.mjr_readPixels(None, self._depth, self._rectangle, self._context)
        near, far = self._near_far
        value = self._depth  # in place: fresh arrays of this size cost more than the arithmetic
        if self._context.readDepthMap == mujoco.mjtDepthMap.mjDEPTH_ZEROFAR:
            np.subtract(1.0, value, out=value)
        value *= far - near
        np.subtract(far, value, out=value)
        np.divide(near * far * 1e3, value, out=value)
        value *= value < _MAX_DEPTH_MM
        value += 0.5
        np.copyto(self._depth_mm, value, casting="unsafe")
        return self._depth_mm[::-1]

    def close(self) -> None:
        """Free the OpenGL context; leaving that to the interpreter's exit prints errors."""
        if self._context:
            self._context.free()
            self._context = None
        if self._gl:
            self._gl.free()
            self._gl = None
