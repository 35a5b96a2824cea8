"""Examines machine, graph, devices and calibration before a robot moves; every finding says what mends it."""
