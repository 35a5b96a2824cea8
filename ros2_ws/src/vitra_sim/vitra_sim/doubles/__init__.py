"""Doubles of the vendors' devices: they speak the vendors' own protocols and move the simulated robot."""
