"""What to render; apart from the renderer, so that a command line can name it where no simulator is."""

from __future__ import annotations

from dataclasses import dataclass

from vitra_policy.action_space import SIDES, Side


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """What to render."""

    seconds: float = 8.0
    fps: float = 30.0
    width_px: int = 640
    height_px: int = 480
    fov_deg: tuple[float, float] = (70.0, 95.0)
    """Range of the horizontal field of view."""
    sides: tuple[Side, ...] = SIDES
    """Hands in the video."""
    sway_m: float = 0.06
    """How far the head wanders; 0 holds the camera still."""
    blur_frames: int = 1
    """Renderings averaged into one frame over half of its time; 1 is sharp."""
    fisheye: float = 0.0
    """First coefficient of an equidistant lens' polynomial (theta + k theta^3); 0 is a pinhole."""
    shadows: bool = True
    """Draw shadows (about 10 ms a frame)."""
    noise: float = 2.0
    """Standard deviation of sensor noise, of 255."""
