"""What can be wrong with a launch file or a launch command."""

from __future__ import annotations

from vitra_policy.errors import VitraError


class LaunchError(VitraError):
    """A launch file that the native tool would refuse too, or a launch argument that is not allowed."""
