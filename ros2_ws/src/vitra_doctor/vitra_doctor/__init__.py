"""Examines machine, graph, devices and calibration before a robot moves; every finding says what mends it."""

import vitra_runtime  # noqa: F401  # Ctrl-C while the rest is imported ends quietly
