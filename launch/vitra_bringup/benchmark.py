"""The end that benchmarks of the running graph share: figures beside the machine they are of, as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vitra_bringup import demo
from vitra_policy.command_errors import print_error
from vitra_policy.errors import VitraError


def report(name: str, out: Path, measure: Callable[[], Mapping[str, Any]]) -> int:
    """Measure, write and show; returns the exit code.

    Args:
        name: Of the benchmark, for the table.
        out: JSON file; its folder is made.
        measure: Takes the figures.
    """
    machine = {
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load_1min": os.getloadavg()[0],
    }
    try:
        figures = {"machine": machine, **measure()}
    except VitraError as error:
        print_error(demo.console, name, error)
        return 2
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n")
    demo.console.print_json(json.dumps(figures))
    return 0
