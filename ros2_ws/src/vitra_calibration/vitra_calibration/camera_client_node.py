"""What `vitra-calibrate` hears of a running graph: images, lens, joints and hand serials."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from rclpy.context import Context
from sensor_msgs.msg import CameraInfo, Image, JointState

from vitra_calibration.errors import SessionError
from vitra_calibration.refine import Lens
from vitra_policy.action_space import SIDES
from vitra_policy.camera_messages.decode import image_of
from vitra_runtime import qos
from vitra_runtime.polling import PolledTopics

Array = NDArray[np.float64]
_PERIOD_S = 0.05


class CameraClient:
    """Newest image and joints; use as a context manager.

    Args:
        domain: ROS domain.
    """

    def __init__(self, domain: int) -> None:
        self._context = Context()
        self._context.init(domain_id=domain)
        self.node = rclpy.create_node("vitra_calibrate", context=self._context)
        self._topics = PolledTopics(self.node, "calibration")
        self._images = self._topics.subscribe(Image, "head_camera/color/image_raw", qos.SENSOR)
        self._infos = self._topics.subscribe(CameraInfo, "head_camera/color/camera_info", qos.SENSOR)
        self._joints = {
            side: self._topics.subscribe(JointState, f"{side}_arm/joint_states", qos.SENSOR) for side in SIDES
        }
        profile = qos.recorded(20, reliable=True, latched=False)
        self._diagnostics = self._topics.subscribe(DiagnosticArray, "/diagnostics", profile)
        self.image: NDArray[np.uint8] | None = None
        self.info: CameraInfo | None = None
        self.joints_rad: dict[str, Array] = {}
        self.hand_serials: dict[str, str] = {}

    def __enter__(self) -> CameraClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._topics.close()
        self.node.destroy_node()
        self._context.try_shutdown()

    @property
    def lens(self) -> Lens:
        """The lens that the camera reports."""
        assert self.info is not None
        distortion = np.zeros(5)
        distortion[: min(5, len(self.info.d))] = self.info.d[:5]
        return Lens(np.array(self.info.k, dtype=np.float64).reshape(3, 3), distortion)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the images."""
        assert self.info is not None
        return int(self.info.width), int(self.info.height)

    def wait(self, seconds: float, side: str = "") -> None:
        """Until image and lens (and joints of a side) have come.

        Raises:
            SessionError: they have not in time.
        """
        end_s = time.monotonic() + seconds
        while self.image is None or self.info is None or (side and side not in self.joints_rad):
            if time.monotonic() > end_s:
                what = "joints" if self.image is not None and self.info is not None else "images or camera_info"
                raise SessionError(f"No {what} came within {seconds:g} s: is a graph running in this ROS domain?")
            self.look()

    def look(self, pause: Callable[[float], None] = time.sleep) -> bool:
        """Take in what has come; whether there is a new image."""
        pause(_PERIOD_S)
        images = list(self._images.take())
        if images:
            self.image = np.asarray(image_of(images[-1][0]))
        for info, _ in self._infos.take():
            self.info = info
        for side, topic in self._joints.items():
            for message, _ in topic.take():
                self.joints_rad[str(side)] = np.array(message.position)
        for array, _ in self._diagnostics.take():
            for status in array.status:
                for side in SIDES:
                    if status.name.endswith(f": {side}_hand") and " on " in status.hardware_id:
                        self.hand_serials[str(side)] = status.hardware_id.split(" on ")[0]
        return bool(images)
