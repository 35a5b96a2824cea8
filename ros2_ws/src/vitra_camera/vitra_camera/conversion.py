"""Filling sensor_msgs from frames, without a copy more than needed and without importing ROS."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_camera.errors import CameraSettingsError

_DISTORTION = {
    "none": ("plumb_bob", 5),
    "brown_conrady": ("plumb_bob", 5),
    "modified_brown_conrady": ("plumb_bob", 5),
    "inverse_brown_conrady": ("plumb_bob", 5),
    "kannala_brandt4": ("equidistant", 4),
}
"""librealsense model -> ROS model and number of coefficients. For `inverse_brown_conrady` (D455 colour) librealsense's
own projection is the plumb_bob formula with the same coefficients, so they are passed on as they are."""


class ImageFiller:
    """Writes arrays into one reused sensor_msgs/Image; publish before the next `fill`.

    Args:
        message: A sensor_msgs/Image.
        frame_id: Optical frame.
        encoding: `rgb8` or `16UC1`.
    """

    def __init__(self, message: Any, frame_id: str, encoding: str) -> None:
        self.message = message
        message.header.frame_id, message.encoding = frame_id, encoding
        self._bytes: NDArray[np.uint8] = np.empty(0, np.uint8)

    def fill(self, pixels: NDArray[Any], stamp: Any) -> Any:
        """The message holding `pixels` ((H, W) or (H, W, C)) and `stamp`.

        The message's buffer is allocated once per size and written in place: assigning `data` costs a check of every
        byte, or a copy.
        """
        message = self.message
        if self._bytes.nbytes != pixels.nbytes:
            message.data = array.array("B", bytes(pixels.nbytes))
            self._bytes = np.frombuffer(message.data, np.uint8)  # the setter may have copied
        message.header.stamp = stamp
        message.height, message.width = pixels.shape[:2]
        message.step = pixels.nbytes // pixels.shape[0]
        message.is_bigendian = 0
        np.copyto(self._bytes.view(pixels.dtype).reshape(pixels.shape), pixels)
        return message


def fill_camera_info(message: Any, intrinsics: Any, frame_id: str) -> Any:
    """A sensor_msgs/CameraInfo from librealsense intrinsics (pinhole, no rectification, no binning).

    Args:
        message: The message, changed in place.
        intrinsics: Of a librealsense stream profile.
        frame_id: Optical frame of the camera.

    Raises:
        CameraSettingsError: for a lens model that ROS has no name for.
    """
    model = intrinsics.model.name
    if model not in _DISTORTION:
        raise CameraSettingsError(f"Lens model '{model}' has no ROS counterpart; known: {', '.join(_DISTORTION)}.")
    ros_model, coefficients = _DISTORTION[model]
    fx, fy, cx, cy = (float(v) for v in (intrinsics.fx, intrinsics.fy, intrinsics.ppx, intrinsics.ppy))
    message.header.frame_id = frame_id
    message.width, message.height = intrinsics.width, intrinsics.height
    message.distortion_model = ros_model
    message.d = [0.0 if model == "none" else float(c) for c in intrinsics.coeffs[:coefficients]]
    message.k = [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]
    message.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    message.p = [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return message
