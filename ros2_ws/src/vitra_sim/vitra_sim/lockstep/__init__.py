"""Lockstep simulation: no clock but the simulated one."""
