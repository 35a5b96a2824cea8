"""Stands where the vendor's package stands: `from vitra_sim.doubles.xhand_sdk import xhand_control`."""

from vitra_sim.doubles import xhand_control

__all__ = ["xhand_control"]
