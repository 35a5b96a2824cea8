"""Images as sensor_msgs, filled without a copy more than needed."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image

from vitra_description.calibration import CameraIntrinsics
from vitra_description.names import CAMERA_FRAME


class ImageMessage:
    """A sensor_msgs/Image whose buffer is written in place: assigning `data` would check every byte.

    Args:
        width: pixels.
        height: pixels.
        encoding: ROS encoding.
        dtype: of one channel.
        channels: per pixel.
    """

    def __init__(self, width: int, height: int, encoding: str, dtype: np.dtype[Any], channels: int) -> None:
        self._message = Image(width=width, height=height, encoding=encoding)
        self._message.header.frame_id = CAMERA_FRAME
        self._message.step = width * channels * dtype.itemsize
        self._message.data = array.array("B", bytes(height * self._message.step))
        shape = (height, width, channels) if channels > 1 else (height, width)
        self._pixels = np.frombuffer(self._message.data, np.uint8).view(dtype).reshape(shape)

    def fill(self, pixels: NDArray[Any], stamp: tuple[int, int]) -> Image:
        """The message holding the pixels; publish before the next `fill`.

        Args:
            pixels: (H, W) or (H, W, 3), of the message's type.
            stamp: Seconds and nanoseconds of ROS time.
        """
        np.copyto(self._pixels, pixels)
        self._message.header.stamp.sec, self._message.header.stamp.nanosec = stamp
        return self._message


def camera_info(intrinsics: CameraIntrinsics) -> CameraInfo:
    """A pinhole camera without distortion."""
    k = intrinsics.matrix
    message = CameraInfo(width=intrinsics.width_px, height=intrinsics.height_px, distortion_model="plumb_bob")
    message.header.frame_id = CAMERA_FRAME
    message.d, message.k = [0.0] * 5, k.ravel()
    message.r, message.p = np.eye(3).ravel(), np.hstack([k, np.zeros((3, 1))]).ravel()
    return message
