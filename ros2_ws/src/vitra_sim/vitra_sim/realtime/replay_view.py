"""Third-person images of a recorded run, drawn afterwards from the world's trace."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import Calibration, CameraIntrinsics
from vitra_sim.realtime.trace import load_trace
from vitra_sim.scene.camera import HeadCamera
from vitra_sim.scene.families import layout_of
from vitra_sim.scene.scene import THIRD_PERSON_CAMERA, build_scene


class ReplayView:
    """Renders any moment of a trace; use as a context manager.

    Args:
        trace: file that sim_world wrote (parameter `trace`).
        size: (width, height) of the images.
        calibration: mounting of the robot in that run; None takes the simulator's.

    Raises:
        TraceError: no such file, or not a trace.
    """

    def __init__(self, trace: Path, size: tuple[int, int] = (640, 480), calibration: Calibration | None = None) -> None:
        self._segments, self._calibration = load_trace(Path(trace)), calibration
        width, height = size
        pinhole = CameraIntrinsics(width, height, float(width), float(width), width / 2, height / 2)
        self._camera = HeadCamera(pinhole, shadows=True, camera=THIRD_PERSON_CAMERA)
        self._loaded = -1

    def __enter__(self) -> ReplayView:
        return self

    def __exit__(self, *_: object) -> None:
        self._camera.close()

    def at(self, stamp_s: float) -> NDArray[np.uint8]:
        """Image (height, width, 3) RGB of the state nearest to a ROS time."""
        starts = [segment.stamps_s[0] for segment in self._segments]
        index = max(int(np.searchsorted(starts, stamp_s, side="right")) - 1, 0)
        segment = self._segments[index]
        if index != self._loaded:
            layout = layout_of(segment.task, segment.seed)
            self._model = build_scene(layout, self._calibration, looks=True)
            self._data = mujoco.MjData(self._model)
            self._camera.load(self._model)
            self._loaded = index
        self._data.qpos[:] = segment.qpos[int(np.argmin(np.abs(segment.stamps_s - stamp_s)))]
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        return self._camera.render(self._data).colour.copy()
