"""The head camera node: frames of the capture thread onto the topics of the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rclpy.time import Time
from sensor_msgs.msg import CameraInfo as CameraInfoMessage
from sensor_msgs.msg import Image

from vitra_camera.cameras import create_camera
from vitra_camera.capture import Camera, CaptureLoop, CaptureSettings, CaptureStatus
from vitra_camera.conversion import ImageFiller, fill_camera_info
from vitra_camera.pipeline import CameraFrame, CameraInfo
from vitra_camera.settings import CameraSettings, VideoProfile
from vitra_camera.stamps import CaptureClock
from vitra_runtime import qos
from vitra_runtime.diagnostics import ERROR, OK, DiagnosticsPublisher
from vitra_runtime.exclusive import DeviceLock
from vitra_runtime.node import StackNode, run
from vitra_runtime.parameters import param

_STATUS_PERIOD_S = 0.1
_DIAGNOSTICS_PERIOD_S = 1.0


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters of `head_camera`; names follow realsense2_camera where it has the same thing."""

    camera_name: str = param("head_camera", "First part of the topics and frame ids")
    driver: str = param("realsense", "Kind of camera: realsense, or one that another package brings")
    serial_no: str = param("", "Serial number (a leading _ is ignored); empty takes the only camera connected")
    color_profile: str = param("640x480x30", "Colour stream, WIDTHxHEIGHTxFPS (rgb_camera.color_profile); 0x0x0: any")
    depth_profile: str = param("640x480x30", "Depth stream, WIDTHxHEIGHTxFPS (depth_module.depth_profile); 0x0x0: any")
    enable_depth: bool = param(True, "Stream depth")
    align_depth: bool = param(True, "Reproject depth into the colour image (align_depth.enable)")
    reconnect_timeout_s: float = param(1.0, "Wait between attempts to open the camera", unit="s", bounds=(0.05, 60.0))
    frame_timeout_s: float = param(1.0, "A camera silent for this long is lost", unit="s", bounds=(0.1, 30.0))
    frozen_after_s: float = param(
        0.6, "The same image for so long is a fault; 0: never (for test images)", unit="s", bounds=(0.0, 10.0)
    )
    playback_file: str = param("", "Play this librealsense recording instead of a camera (rosbag_filename)")
    playback_repeat: bool = param(False, "Start the recording again at its end")
    playback_real_time: bool = param(True, "Play the recording at its own pace")


class HeadCamera(StackNode[Parameters]):
    """Publishes colour, depth and their camera_info, each stamped with the capture time."""

    def __init__(self) -> None:
        super().__init__("head_camera", Parameters)
        name, aligned = self.params.camera_name, self.params.align_depth
        depth = f"{name}/aligned_depth_to_color/image_raw" if aligned else f"{name}/depth/image_rect_raw"
        color_frame = f"{name}_color_optical_frame"
        depth_frame = color_frame if aligned else f"{name}_depth_optical_frame"
        self._color = ImageFiller(Image(), color_frame, "rgb8")
        self._depth = ImageFiller(Image(), depth_frame, "16UC1")
        self._color_info, self._depth_info = CameraInfoMessage(), CameraInfoMessage()
        self._color_publishers = self._image_publishers(f"{name}/color/image_raw")
        self._depth_publishers = self._image_publishers(depth) if self.params.enable_depth else None
        self._diagnostics = DiagnosticsPublisher(self)
        self._capture_clock = CaptureClock()
        self._loop: CaptureLoop | None = None
        self._device_lock: DeviceLock | None = None
        self._camera: Camera | None = None
        self._rate_hz = 30.0
        self._device: CameraInfo | None = None
        self.create_timer(_STATUS_PERIOD_S, self._report_state)
        self.create_timer(_DIAGNOSTICS_PERIOD_S, self._report_diagnostics)

    def setup(self) -> None:
        """Load the SDK, check the settings and take the device."""
        p = self.params
        settings = CameraSettings(
            color=VideoProfile.parse(p.color_profile),
            depth=VideoProfile.parse(p.depth_profile),
            serial_no=p.serial_no,
            enable_depth=p.enable_depth,
            align_depth=p.align_depth,
            playback_file=p.playback_file,
            playback_real_time=p.playback_real_time,
            frame_timeout_s=p.frame_timeout_s,
        )
        self._camera = create_camera(p.driver, settings)
        self._rate_hz = settings.color.rate_hz or 30.0
        if not p.playback_file:
            self._device_lock = DeviceLock(f"{p.driver}-{settings.serial or 'any'}")

    def start(self) -> None:
        """Start the capture thread; it opens the camera as soon as there is one."""
        assert self._camera is not None
        self._loop = CaptureLoop(
            self._camera,
            self._on_open,
            self._on_frame,
            settings=CaptureSettings(
                retry_period_s=self.params.reconnect_timeout_s,
                rate_hz=self._rate_hz,
                repeat=self.params.playback_repeat,
                still_limit_s=self.params.frozen_after_s,
            ),
        )
        self._loop.start()

    def halt(self) -> None:
        """Stop the capture thread, which closes the camera."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop(timeout_s=self.params.frame_timeout_s + 2.0)

    def teardown(self) -> None:
        """Give the device back."""
        if self._device_lock is not None:
            self._device_lock.release()
        self._device_lock = self._camera = None

    @property
    def status(self) -> CaptureStatus:
        """What the capture thread says."""
        return self._loop.status if self._loop is not None else CaptureStatus()

    def _image_publishers(self, topic: str) -> tuple[Any, Any]:
        info = topic.rsplit("/", 1)[0] + "/camera_info"
        return (
            self.stream_publisher(Image, topic, qos.SENSOR),
            self.stream_publisher(CameraInfoMessage, info, qos.SENSOR),
        )

    def _on_open(self, device: CameraInfo) -> None:
        is_new = self._device is None or self._device.serial != device.serial or bool(self.status.problem)
        self._device = device
        fill_camera_info(self._color_info, device.color_intrinsics, self._color.message.header.frame_id)
        if device.depth_intrinsics is not None:
            fill_camera_info(self._depth_info, device.depth_intrinsics, self._depth.message.header.frame_id)
        if is_new:
            self.get_logger().info(f"{device.name} {device.serial} opened")

    def _on_frame(self, frame: CameraFrame) -> None:
        arrival_s = self.get_clock().now().nanoseconds * 1e-9
        stamp_s = self._capture_clock.stamp_s(frame.device_time_s, frame.time_domain, arrival_s)
        stamp = Time(nanoseconds=round(stamp_s * 1e9)).to_msg()
        if frame.color is not None:
            self._publish(self._color_publishers, self._color.fill(frame.color, stamp), self._color_info)
        if frame.depth_mm is not None and self._depth_publishers is not None:
            self._publish(self._depth_publishers, self._depth.fill(frame.depth_mm, stamp), self._depth_info)

    @staticmethod
    def _publish(publishers: tuple[Any, Any], image: Image, info: CameraInfoMessage) -> None:
        info.header.stamp = image.header.stamp
        publishers[0].publish(image)
        publishers[1].publish(info)

    def _report_state(self) -> None:
        if self._loop is not None:
            status = self._loop.status
            self.set_fault(status.problem, cause="image_frozen" if status.frozen else "")

    def _report_diagnostics(self) -> None:
        status, device = self.status, self._device
        values = {
            "state": status.state.value,
            "device": f"{device.name} {device.serial}" if device else "none",
            "color_hz": f"{status.rate_hz:.2f}",
            "frames": str(status.frames),
            "frames_dropped": str(status.dropped),
            "reconnects": str(status.reconnects),
        }
        self._diagnostics.publish(
            "camera",
            status.problem or status.state.value,
            values,
            level=ERROR if status.problem else OK,
            hardware_id=device.serial if device else "",
        )


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(HeadCamera, args)
