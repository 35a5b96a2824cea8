"""What can go wrong with a RealSense camera, one class per cause."""

from __future__ import annotations

from vitra_policy.errors import VitraError


class RealSenseMissingError(VitraError):
    """pyrealsense2 or a library it needs is not installed."""


class CameraSettingsError(VitraError):
    """A profile or combination of settings that no camera can follow."""


class CameraNotFoundError(VitraError):
    """The wanted camera is not plugged in, or has no such stream."""


class CameraLostError(VitraError):
    """A camera that was streaming has stopped sending frames."""


class EndOfRecordingError(VitraError):
    """The recorded file has been played to its end."""
