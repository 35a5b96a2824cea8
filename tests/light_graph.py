"""The graph with a smaller and slower head camera, for tests that are not about what it shows: two cores are enough."""

from __future__ import annotations

from pathlib import Path

import yaml
from ament_index_python.packages import get_package_share_directory

_CAMERA = {"width_px": 212, "height_px": 120, "rate_hz": 15.0}


def light_config(folder: Path) -> str:
    """For the launch argument `config`: the stack's own parameters but for the simulated camera.

    Args:
        folder: Where the file goes; must exist.
    """
    stock = Path(get_package_share_directory("vitra_bringup")) / "config" / "stack.yaml"
    parameters = yaml.safe_load(stock.read_text())
    parameters["/**/sim_camera"]["ros__parameters"] |= _CAMERA
    path = folder / "light.yaml"
    path.write_text(yaml.safe_dump(parameters))
    return str(path)
