"""How a scene looks: table, floor, sky, lamp and camera shift; random, and split into seen and unseen looks."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

Rgb = tuple[float, float, float]


class Pattern(StrEnum):
    """What covers the table."""

    PLAIN = "plain"
    GRAIN = "grain"
    SPECKLE = "speckle"
    CHECKER = "checker"
    STRIPES = "stripes"


SEEN_PATTERNS = (Pattern.PLAIN, Pattern.GRAIN, Pattern.SPECKLE)
UNSEEN_PATTERNS = (Pattern.CHECKER, Pattern.STRIPES)
_SEEN_HUES, _UNSEEN_HUES = (0.02, 0.16), (0.45, 0.75)


@dataclass(frozen=True, slots=True)
class Appearance:
    """Looks of one scene.

    Attributes:
        table: Pattern of the table.
        table_rgb: Its two colours.
        floor_rgb: Colour of the floor.
        sky_rgb: Colours of the room above and at the horizon.
        lamp_position_m: Where the lamp hangs.
        lamp: Its brightness; 0.6 is the default scene's.
        ambient: Light from everywhere; 0.45 is the default scene's.
        seed: Of the pattern's noise.
    """

    table: Pattern = Pattern.PLAIN
    table_rgb: tuple[Rgb, Rgb] = ((0.55, 0.50, 0.45), (0.50, 0.45, 0.40))
    floor_rgb: Rgb = (0.62, 0.62, 0.60)
    sky_rgb: tuple[Rgb, Rgb] = ((0.72, 0.78, 0.84), (0.90, 0.90, 0.88))
    lamp_position_m: tuple[float, float, float] = (0.6, -0.6, 2.4)
    lamp: float = 0.6
    ambient: float = 0.45
    seed: int = 0


def random_appearance(rng: np.random.Generator, *, unseen: bool = False) -> Appearance:
    """A random look; `unseen` looks have patterns and hues of the table that seen ones never have."""
    patterns, hues = (UNSEEN_PATTERNS, _UNSEEN_HUES) if unseen else (SEEN_PATTERNS, _SEEN_HUES)
    hue, saturation, value = rng.uniform(*hues), rng.uniform(0.05, 0.45), rng.uniform(0.30, 0.85)
    second = np.clip(value + rng.choice([-1, 1]) * rng.uniform(0.05, 0.2), 0.1, 0.95)
    return Appearance(
        table=patterns[int(rng.integers(len(patterns)))],
        table_rgb=(_rgb(hue, saturation, value), _rgb(hue, saturation, float(second))),
        floor_rgb=_rgb(rng.uniform(), rng.uniform(0, 0.2), rng.uniform(0.2, 0.8)),
        sky_rgb=(
            _rgb(rng.uniform(), rng.uniform(0, 0.3), rng.uniform(0.3, 0.9)),
            _rgb(0.0, 0.0, rng.uniform(0.5, 0.95)),
        ),
        lamp_position_m=(float(rng.uniform(0.2, 1.0)), float(rng.uniform(-0.9, 0.9)), float(rng.uniform(1.9, 2.6))),
        lamp=float(rng.uniform(0.35, 0.8)),
        ambient=float(rng.uniform(0.3, 0.6)),
        seed=int(rng.integers(2**31)),
    )


def texture(look: Appearance, size_px: int = 128) -> np.ndarray:
    """The table's texture (size_px, size_px, 3) uint8."""
    rng = np.random.default_rng(look.seed)
    y, x = np.mgrid[:size_px, :size_px] / size_px
    match look.table:
        case Pattern.PLAIN:
            mix = np.zeros_like(x)
        case Pattern.GRAIN:
            waves = sum(
                np.sin(2 * np.pi * (f * y + rng.uniform(0, 1) + 0.3 * np.sin(2 * np.pi * x))) for f in (3, 7, 17)
            )
            mix = 0.5 + waves / 6
        case Pattern.SPECKLE:
            mix = rng.uniform(0, 1, (size_px, size_px)) ** 3
        case Pattern.CHECKER:
            n = int(rng.integers(4, 9))
            mix = ((np.floor(x * n) + np.floor(y * n)) % 2).astype(float)
        case Pattern.STRIPES:
            mix = (np.floor(x * int(rng.integers(8, 20))) % 2).astype(float)
    first, second = (np.asarray(colour) for colour in look.table_rgb)
    return np.asarray(255 * np.clip(first + (second - first) * mix[..., None], 0, 1)).astype(np.uint8)


def _rgb(hue: float, saturation: float, value: float) -> Rgb:
    return colorsys.hsv_to_rgb(float(hue), float(saturation), float(value))
