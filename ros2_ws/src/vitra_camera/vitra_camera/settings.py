"""What to ask a RealSense camera for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vitra_camera.errors import CameraSettingsError


@dataclass(frozen=True, slots=True)
class VideoProfile:
    """Size and rate of one stream; `0x0x0` leaves the choice to the device or file."""

    width_px: int
    height_px: int
    rate_hz: int

    @classmethod
    def parse(cls, text: str) -> VideoProfile:
        """`WIDTHxHEIGHTxFPS`, as realsense2_camera writes it, e.g. `640x480x30`.

        Raises:
            CameraSettingsError: for anything else.
        """
        match = re.fullmatch(r"(\d+)[x,](\d+)[x,](\d+)", text.replace(" ", "").lower())
        if match is None:
            raise CameraSettingsError(
                f"Camera profile '{text}' is not WIDTHxHEIGHTxFPS. A D455 offers for example 640x480x30, 848x480x30 "
                "and 1280x720x30."
            )
        return cls(*map(int, match.groups()))

    def __str__(self) -> str:
        return f"{self.width_px}x{self.height_px}x{self.rate_hz}"


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """One colour stream and, if wanted, depth.

    Attributes:
        color: Colour profile (published as rgb8).
        depth: Depth profile; ignored without `enable_depth`.
        serial_no: Which camera; empty takes the only one. realsense2_camera's leading `_` is accepted.
        enable_depth: Stream depth too.
        align_depth: Reproject depth into the colour image.
        playback_file: A librealsense recording to play instead of a device.
        playback_real_time: Play at the recorded pace; otherwise as fast as frames are taken.
        frame_timeout_s: A camera silent for this long is lost.
    """

    color: VideoProfile = VideoProfile(640, 480, 30)
    depth: VideoProfile = VideoProfile(640, 480, 30)
    serial_no: str = ""
    enable_depth: bool = True
    align_depth: bool = True
    playback_file: str = ""
    playback_real_time: bool = True
    frame_timeout_s: float = 1.0

    @property
    def serial(self) -> str:
        """The serial number without the underscore that keeps YAML from reading it as a number."""
        return self.serial_no.removeprefix("_")
