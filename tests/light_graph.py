"""The graph with a smaller and slower head camera, for tests that are not about what it shows: two cores are enough."""

from __future__ import annotations

from pathlib import Path

from vitra_bringup.stack_config import changed_config

_CAMERA = {"width_px": 212, "height_px": 120, "rate_hz": 15.0}


def light_config(folder: Path) -> str:
    """For the launch argument `config`: the stack's own parameters but for the simulated camera.

    Args:
        folder: Where the file goes; must exist.
    """
    return changed_config(folder / "light.yaml", {"sim_camera": _CAMERA})
