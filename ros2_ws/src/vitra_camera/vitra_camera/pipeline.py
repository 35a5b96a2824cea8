"""From a RealSense device, or a recording of one, to numpy frames."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_camera.errors import CameraLostError, CameraNotFoundError, EndOfRecordingError
from vitra_camera.settings import CameraSettings, VideoProfile

_METRES_PER_MM = 0.001
_PLAYBACK_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class CameraFrame:
    """What one delivery of the device holds; arrays view the SDK's memory: use them before the next `read`.

    Attributes:
        color: (H, W, 3) uint8 rgb, or None when this delivery only completes an earlier colour image with its depth.
        depth_mm: (H, W) uint16 millimetres, 0 = unknown, in the colour image if aligned; None if it did not come.
        number: The device's colour frame number.
        device_time_s: Capture time in the clock named by `time_domain`.
        time_domain: librealsense's `global_time`, `system_time` (both the host's clock) or `hardware_clock`.
    """

    color: NDArray[np.uint8] | None
    depth_mm: NDArray[np.uint16] | None
    number: int
    device_time_s: float
    time_domain: str


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """What an opened camera says about itself.

    Attributes:
        name: Product name.
        serial: Serial number.
        color_intrinsics: librealsense intrinsics of the colour stream.
        depth_intrinsics: The same of the published depth (equal to colour when aligned); None without depth.
    """

    name: str
    serial: str
    color_intrinsics: Any
    depth_intrinsics: Any | None


class CameraPipeline:
    """Opens, reads and closes one camera; not thread-safe, one thread drives it.

    Args:
        rs: The pyrealsense2 module.
        settings: What to ask the camera for.
    """

    def __init__(self, rs: Any, settings: CameraSettings) -> None:
        self._rs, self.settings = rs, settings
        self._pipeline: Any = None
        self._playback: Any = None
        self._align: Any = None
        self._depth_scale = 1.0
        self._half_period_ms = 0.0
        self._color_number, self._depth_done = -1, False

    def open(self) -> CameraInfo:
        """Start streaming.

        Raises:
            CameraNotFoundError: no such camera, stream or file; the message lists what there is.
        """
        self.close()
        rs, settings = self._rs, self.settings
        config = rs.config()
        if settings.playback_file:
            if not Path(settings.playback_file).is_file():
                raise CameraNotFoundError(f"Recording {settings.playback_file} does not exist.")
        else:
            config.enable_device(self._choose_device())
        self._enable(config, rs.stream.color, settings.color, rs.format.rgb8)
        if settings.enable_depth:
            self._enable(config, rs.stream.depth, settings.depth, rs.format.z16)
        pipeline = rs.pipeline()
        try:
            if settings.playback_file:
                config.enable_device_from_file(settings.playback_file, repeat_playback=False)
                self._playback = config.resolve(rs.pipeline_wrapper(pipeline)).get_device().as_playback()
                self._playback.set_real_time(settings.playback_real_time)
                self._playback.pause()  # what is played while streaming starts would be lost
            profile = pipeline.start(config)
        except RuntimeError as error:
            raise CameraNotFoundError(self._refusal(error)) from error
        self._pipeline = pipeline
        if self._playback is not None:
            self._playback.resume()
        device = profile.get_device()
        self._align = rs.align(rs.stream.color) if settings.enable_depth and settings.align_depth else None
        self._color_number, self._depth_done = -1, False
        color = profile.get_stream(rs.stream.color).as_video_stream_profile()
        self._half_period_ms = 500.0 / max(color.fps(), 1)
        depth_intrinsics = None
        if settings.enable_depth:
            depth = profile.get_stream(rs.stream.depth).as_video_stream_profile()
            depth_intrinsics = (color if self._align else depth).get_intrinsics()
        return CameraInfo(
            name=device.get_info(rs.camera_info.name),
            serial=device.get_info(rs.camera_info.serial_number),
            color_intrinsics=color.get_intrinsics(),
            depth_intrinsics=depth_intrinsics,
        )

    def read(self) -> CameraFrame:
        """The next delivery that holds something new; blocks up to `frame_timeout_s`.

        Raises:
            CameraLostError: nothing came in time.
            EndOfRecordingError: the recorded file is over.
        """
        while True:
            frame = self._take(self._next_delivery())
            if frame is not None:
                return frame

    def close(self) -> None:
        """Stop streaming; harmless when nothing streams."""
        pipeline, self._pipeline, self._playback = self._pipeline, None, None
        if pipeline is not None:
            try:
                pipeline.stop()
            except RuntimeError:  # unplugged: there is nothing left to stop
                return

    def _next_delivery(self) -> Any:
        give_up_s = time.monotonic() + self.settings.frame_timeout_s
        was_over = False
        while True:
            left_s = give_up_s - time.monotonic()
            if self._playback is not None:
                left_s = min(left_s, _PLAYBACK_LOOK_S)  # the end of a recording is a status, not a frame
            try:
                arrived, frames = self._pipeline.try_wait_for_frames(max(int(left_s * 1000), 1))
            except RuntimeError as error:
                raise CameraLostError(f"The camera stopped: {error}. Check the cable and the USB port.") from error
            if arrived:
                return frames
            is_over = self._is_over
            if is_over and was_over:  # a whole look long: nothing is under way any more
                raise EndOfRecordingError(f"Recording {self.settings.playback_file} is over.")
            was_over = is_over
            if time.monotonic() >= give_up_s and not is_over:
                silent_s = self.settings.frame_timeout_s
                raise CameraLostError(f"The camera sent no frame for {silent_s:g} s. Check the cable and the USB port.")

    @property
    def _is_over(self) -> bool:
        return self._playback is not None and self._playback.current_status() == self._rs.playback_status.stopped

    def _take(self, frames: Any) -> CameraFrame | None:
        # Deliveries repeat a stream while they wait for the other one to catch up: nothing is handed out twice.
        color = frames.get_color_frame()
        if not color:
            return None
        number = color.get_frame_number()
        is_new = number != self._color_number
        if is_new:
            self._color_number, self._depth_done = number, False
        depth_mm = None
        if self.settings.enable_depth and not self._depth_done:
            depth = frames.get_depth_frame()
            if depth and abs(depth.get_timestamp() - color.get_timestamp()) < self._half_period_ms:
                depth_mm, self._depth_done = self._depth_mm(frames, depth), True
        if not is_new and depth_mm is None:
            return None
        return CameraFrame(
            color=np.asanyarray(color.get_data()) if is_new else None,
            depth_mm=depth_mm,
            number=number,
            device_time_s=color.get_timestamp() * 1e-3,
            time_domain=color.get_frame_timestamp_domain().name,
        )

    def _depth_mm(self, frames: Any, depth: Any) -> NDArray[np.uint16]:
        units_m = depth.get_units()
        if self._align is not None:
            depth = self._align.process(frames).get_depth_frame()
        raw: NDArray[np.uint16] = np.asanyarray(depth.get_data())
        if abs(units_m - _METRES_PER_MM) < 1e-7:
            return raw
        return np.asarray(np.minimum(np.rint(raw * (units_m / _METRES_PER_MM)), 65535), dtype=np.uint16)

    def _enable(self, config: Any, stream: Any, profile: VideoProfile, pixel_format: Any) -> None:
        config.enable_stream(stream, profile.width_px, profile.height_px, pixel_format, profile.rate_hz)

    def _choose_device(self) -> str:
        found = self._connected()
        wanted = self.settings.serial
        if not found:
            raise CameraNotFoundError("No RealSense camera is connected. Check cable, USB 3 port and udev rules.")
        if wanted and wanted not in found:
            listing = ", ".join(f"{serial} ({name})" for serial, name in found.items())
            raise CameraNotFoundError(f"RealSense camera {wanted} is not connected. Connected: {listing}.")
        if not wanted and len(found) > 1:
            raise CameraNotFoundError(f"Several RealSense cameras are connected: set serial_no, one of {list(found)}.")
        return wanted or next(iter(found))

    def _connected(self) -> dict[str, str]:
        info = self._rs.camera_info
        devices = self._rs.context().query_devices()
        return {d.get_info(info.serial_number): d.get_info(info.name) for d in devices}

    def _refusal(self, error: RuntimeError) -> str:
        settings = self.settings
        wanted = f"color {settings.color}" + (f" + depth {settings.depth}" if settings.enable_depth else "")
        where = settings.playback_file or "the camera"
        return (
            f"Cannot stream {wanted} from {where}: {str(error).rstrip('.')}. Choose profiles that it has "
            "(`rs-enumerate-devices`; few over USB 2; `0x0x0` takes what is there) and close other programs."
        )
