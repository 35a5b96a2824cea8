"""Head cameras by name; other packages add theirs with an entry point (docs/how_to/add_a_camera.md)."""

from __future__ import annotations

from collections.abc import Callable

from vitra_camera.capture import Camera
from vitra_camera.pipeline import CameraPipeline
from vitra_camera.sdk import load_realsense
from vitra_camera.settings import CameraSettings
from vitra_policy.extension_point import ExtensionPoint

CAMERAS = ExtensionPoint("camera", "vitra_camera.cameras", {"realsense": "vitra_camera.cameras:make_realsense"})
"""Each entry point names a function of `CameraSettings` that gives a `Camera`, not opened yet."""


def make_realsense(settings: CameraSettings) -> Camera:
    """A RealSense camera, or a recording of one.

    Raises:
        RealSenseMissingError: the SDK is not there.
    """
    return CameraPipeline(load_realsense(), settings)


def create_camera(name: str, settings: CameraSettings) -> Camera:
    """A camera by name, not opened yet.

    Raises:
        UnknownNameError: no such camera; the message lists them.
        ExtensionError: it cannot be imported.
    """
    make: Callable[[CameraSettings], Camera] = CAMERAS.load(name)
    return make(settings)
