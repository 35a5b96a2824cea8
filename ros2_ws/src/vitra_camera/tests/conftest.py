"""A camera without hardware: librealsense's own software device, recorded to a file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vitra_camera.sdk import load_realsense

WIDTH, HEIGHT, RATE_HZ = 320, 240, 30
COLOR_COEFFICIENTS = (-0.05, 0.06, 0.001, -0.001, -0.02)
BASELINE_M = 0.059


def color_image(number: int) -> np.ndarray:
    """Pixels that tell frame and place: red = number, green = column, blue = row."""
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    image[..., 0] = number % 256
    image[..., 1] = np.arange(WIDTH) % 256
    image[..., 2] = (np.arange(HEIGHT) % 256)[:, None]
    return image


def depth_image(number: int) -> np.ndarray:
    """A wall 1 m and `number` millimetres away."""
    return np.full((HEIGHT, WIDTH), 1000 + number, np.uint16)


@pytest.fixture(scope="session")
def rs() -> Any:
    """The genuine pyrealsense2."""
    return load_realsense()


def _stream(rs: Any, sensor: Any, stream: Any, pixel_format: Any, bytes_per_pixel: int, focal_px: float) -> Any:
    intrinsics = rs.intrinsics()
    intrinsics.width, intrinsics.height = WIDTH, HEIGHT
    intrinsics.ppx, intrinsics.ppy, intrinsics.fx, intrinsics.fy = 161.0, 119.0, focal_px, focal_px
    is_color = stream == rs.stream.color
    intrinsics.model = rs.distortion.inverse_brown_conrady if is_color else rs.distortion.none
    intrinsics.coeffs = list(COLOR_COEFFICIENTS) if is_color else [0.0] * 5
    video = rs.video_stream()
    video.type, video.index, video.uid = stream, 0, 2 if is_color else 1
    video.width, video.height, video.fps, video.bpp = WIDTH, HEIGHT, RATE_HZ, bytes_per_pixel
    video.fmt, video.intrinsics = pixel_format, intrinsics
    return sensor.add_video_stream(video).as_video_stream_profile()


def record(rs: Any, path: Path, numbers: Sequence[int], *, depth_units: float = 0.001, period_s: float = 0.0) -> None:
    """Write a recording with these frame numbers."""
    device = rs.software_device()
    device.register_info(rs.camera_info.name, "Software D455")
    device.register_info(rs.camera_info.serial_number, "123456")
    stereo, rgb = device.add_sensor("Stereo Module"), device.add_sensor("RGB Camera")
    depth = _stream(rs, stereo, rs.stream.depth, rs.format.z16, 2, 200.0)
    color = _stream(rs, rgb, rs.stream.color, rs.format.rgb8, 3, 210.0)
    extrinsics = rs.extrinsics()
    extrinsics.rotation, extrinsics.translation = [1, 0, 0, 0, 1, 0, 0, 0, 1], [BASELINE_M, 0, 0]
    depth.register_extrinsics_to(color, extrinsics)
    stereo.add_read_only_option(rs.option.depth_units, depth_units)
    device.create_matcher(rs.matchers.default)
    recorder = rs.recorder(str(path), device)
    arrived, pace = threading.Semaphore(0), threading.Event()
    sensors = list(recorder.query_sensors())
    for sensor in sensors:
        sensor.open(list(sensor.get_stream_profiles()))
        sensor.start(lambda _frame: arrived.release())
    for number in numbers:
        for sensor, profile, pixels, size in (
            (stereo, depth, depth_image(number), 2),
            (rgb, color, color_image(number), 3),
        ):
            frame = rs.software_video_frame()
            frame.pixels, frame.stride, frame.bpp = pixels, WIDTH * size, size
            frame.timestamp, frame.domain = 1000.0 + number * 1000.0 / RATE_HZ, rs.timestamp_domain.hardware_clock
            frame.frame_number, frame.profile = number, profile
            if size == 2:
                frame.depth_units = depth_units
            sensor.on_video_frame(frame)
            assert arrived.acquire(timeout=5.0)
        pace.wait(period_s)
    for sensor in sensors:
        sensor.stop()
        sensor.close()
    del recorder


@pytest.fixture(scope="session")
def recording(rs: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames, of which 7 and 8 are missing."""
    path = tmp_path_factory.mktemp("realsense") / "gap.db3"
    record(rs, path, [1, 2, 3, 4, 5, 6, 9, 10, 11, 12])
    return path


@pytest.fixture(scope="session")
def make_recording(rs: Any) -> Callable[..., None]:
    """`record` with the genuine module."""
    return lambda path, numbers, **options: record(rs, path, numbers, **options)


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait for a condition with a deadline."""

    def wait(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
        deadline_s = time.monotonic() + timeout_s
        pause = threading.Event()
        while not condition():
            assert time.monotonic() < deadline_s, "the condition did not come true in time"
            pause.wait(0.005)

    return wait


@pytest.fixture(scope="session")
def scene() -> SimpleNamespace:
    """What the recordings show."""
    return SimpleNamespace(width=WIDTH, height=HEIGHT, baseline_m=BASELINE_M, color_image=color_image)
