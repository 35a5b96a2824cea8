"""Node `sim_camera`: renders the head camera from the world's shared state; same topics as the real camera's."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass

os.environ.setdefault("LP_NUM_THREADS", "0")  # a software renderer draws in our thread, at its priority

import numpy as np
from sensor_msgs.msg import CameraInfo, Image

from vitra_description.calibration import calibration_path, load_calibration
from vitra_policy.errors import VitraError
from vitra_runtime import qos
from vitra_runtime.node import StackNode, run
from vitra_runtime.parameters import param
from vitra_runtime.threads import WatchedThread
from vitra_runtime.timing import Ticker
from vitra_sim.realtime.image_messages import ImageMessage, camera_info
from vitra_sim.realtime.scene_view import SceneView
from vitra_sim.realtime.shared_state import StateReader, default_name
from vitra_sim.scene.camera import HeadCamera, scaled_intrinsics

_STALE_S = 0.5
_TICK_S = 0.006  # a little more than the physics' period
_START_S = 5.0  # the world may take this long to appear before its absence is a fault


@dataclass(frozen=True, slots=True)
class Parameters:
    """Of the simulated head camera."""

    width_px: int = param(424, "Image width", unit="px", bounds=(32, 1920))
    height_px: int = param(240, "Image height", unit="px", bounds=(32, 1080))
    rate_hz: float = param(30.0, "Images per second", unit="Hz", bounds=(1.0, 90.0))
    depth: bool = param(True, "Publish aligned depth as well")
    shadows: bool = param(False, "Draw shadows; costs several times the drawing time")
    calibration: str = param("sim", "Calibration file with the nominal lens")
    state_block: str = param("", "Shared memory that sim_world writes; empty: the one of this ROS domain")


class SimCameraNode(StackNode[Parameters]):
    """Publishes colour, depth and camera_info."""

    def __init__(self) -> None:
        super().__init__("sim_camera", Parameters)
        self._colour = self.stream_publisher(Image, "head_camera/color/image_raw", qos.SENSOR)
        self._info = self.stream_publisher(CameraInfo, "head_camera/color/camera_info", qos.SENSOR)
        self._depth = self.stream_publisher(Image, "head_camera/aligned_depth_to_color/image_raw", qos.SENSOR)
        self._thread: WatchedThread | None = None
        self._running = threading.Event()

    def setup(self) -> None:
        """Start the rendering thread; OpenGL stays in it."""
        p = self.params
        nominal = load_calibration(calibration_path(p.calibration)).head_camera
        self._intrinsics = scaled_intrinsics(nominal, p.width_px, p.height_px)
        self._running.set()
        self._thread = WatchedThread(self._render, name="camera", should_run=self._running.is_set)
        self._thread.start()

    def teardown(self) -> None:
        """End the rendering thread."""
        self._running.clear()
        if self._thread:
            self._thread.join(timeout=2.0)

    def _render(self) -> None:
        try:
            camera = HeadCamera(self._intrinsics, shadows=self.params.shadows)
        except VitraError as error:
            self.set_fault(str(error))
            self._running.clear()
            return
        try:
            self._publish_images(camera)
        finally:
            camera.close()

    def _publish_images(self, camera: HeadCamera) -> None:
        p = self.params
        block = p.state_block or default_name()
        reader, ticker = StateReader(block), Ticker(1.0 / p.rate_hz)
        info = camera_info(self._intrinsics)
        colour = ImageMessage(p.width_px, p.height_px, "rgb8", np.dtype(np.uint8), 3)
        depth = ImageMessage(p.width_px, p.height_px, "16UC1", np.dtype(np.uint16), 1)
        scene, last_ns, last_new_s = SceneView(camera), 0, ticker.wait() + _START_S
        while self._running.is_set():
            now_s = ticker.wait()
            state = reader.read_next(_TICK_S)
            if state is None or state.stamp_ns == last_ns:
                if now_s - last_new_s > _STALE_S:
                    self.set_fault(
                        f"sim_world is not running: nothing new in the shared state '{block}' for {_STALE_S:g} s.",
                        cause="image_frozen",
                    )
                    reader.reopen()
                    last_new_s = now_s
                continue
            last_ns, last_new_s = state.stamp_ns, now_s
            self.set_fault("")
            if not scene.show(state):
                continue
            camera.draw(scene.data)
            stamp = divmod(state.stamp_ns, 1_000_000_000)
            info.header.stamp.sec, info.header.stamp.nanosec = stamp
            self._info.publish(info)
            self._colour.publish(colour.fill(camera.read_colour(), stamp))  # policies wait for it, not for depth
            if p.depth:
                self._depth.publish(depth.fill(camera.read_depth(), stamp))


def main() -> int:
    """Entry point."""
    return run(SimCameraNode)


if __name__ == "__main__":
    sys.exit(main())
