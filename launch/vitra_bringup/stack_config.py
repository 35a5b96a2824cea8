"""The stack's parameters with a few of them changed, for runs of the graph that need others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ament_index_python.packages import get_package_share_directory


def changed_config(path: Path, changes: Mapping[str, Mapping[str, Any]]) -> str:
    """Write a file for the launch argument `config`; returns its name.

    Args:
        path: Where the file goes; its folder must exist.
        changes: By node, values by parameter.
    """
    stock = Path(get_package_share_directory("vitra_bringup")) / "config" / "stack.yaml"
    parameters = yaml.safe_load(stock.read_text())
    for node, values in changes.items():
        parameters[f"/**/{node}"]["ros__parameters"] |= values
    path.write_text(yaml.safe_dump(parameters))
    return str(path)
