"""Configuration of the simulated robot."""

from __future__ import annotations

from dataclasses import dataclass

from lerobot.robots.config import RobotConfig


@RobotConfig.register_subclass("vitra_sim")
@dataclass(kw_only=True)
class VitraSimConfig(RobotConfig):
    """One robot in simulation; a real one is driven by the stack itself, behind its guards."""

    id: str | None = "vitra_sim"
    scene: str = "place_cube_in_box"
    """Task of the simulator."""
    seed: int = 0
    """Draws where things are."""
