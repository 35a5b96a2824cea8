"""Colour jitter exactly as the reference's, by tables, and the conversion from YUV."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

_HUE_TURN = np.float32(180)
"""OpenCV's number for a whole turn of hue in 8 bits."""
_LEVELS = np.arange(256).astype(np.float32)


@dataclass(frozen=True, slots=True)
class ColourOptions:
    """Ranges of the jitter; the defaults are the reference's (docs/model.md: Training)."""

    probability: float = 0.8
    """How often colours change at all."""
    brightness: float = 0.3
    """Share of full scale that is added, either way."""
    contrast: float = 0.3
    """Factor about mid grey in [1 - this, 1 + this]."""
    saturation: float = 0.4
    """Factor of HSV saturation in [1 - this, 1 + this]."""
    hue_turns: float = 0.3
    """HSV hue shift in turns, either way."""
    hue_turns_named: float = 0.04
    """The same when the caption names a colour."""


def sample_colour(rng: np.random.Generator, options: ColourOptions, colour_named: bool) -> Array | None:
    """(4,) brightness added, contrast and saturation factors, and hue shift in turns; None for no change.

    Consumes a fixed amount of randomness.

    Args:
        rng: Of the draw.
        options: How far each may go.
        colour_named: Whether the caption names a colour; hue stays then.
    """
    draws = rng.random(5)
    if draws[0] >= options.probability:
        return None
    hue = options.hue_turns_named if colour_named else options.hue_turns
    spread = np.array([options.brightness, options.contrast, options.saturation, hue])
    return np.array([0.0, 1.0, 1.0, 0.0]) + spread * (2 * draws[1:] - 1)


def jitter(rgb: Image, factors: Array) -> Image:
    """An image (H, W, 3) with changed colours: brightness, contrast, then saturation and hue in 8-bit HSV.

    Every operation of the reference is a function of one number of 256 values, rounding and clipping included, so
    tables give its very bytes.

    Args:
        rgb: the image.
        factors: (4,) of :func:`sample_colour`.
    """
    brightness, contrast, saturation, hue = map(float, factors)
    grey = np.clip(_LEVELS / 255 + np.float32(brightness), 0, 1)
    grey = np.clip((grey - np.float32(0.5)) * np.float32(contrast) + np.float32(0.5), 0, 1)
    hsv = cv2.cvtColor(cv2.LUT(rgb, (grey * 255).astype(np.uint8)), cv2.COLOR_RGB2HSV)
    turned = ((_LEVELS + np.float32(hue) * _HUE_TURN) % _HUE_TURN).astype(np.uint8)
    saturated = np.clip(_LEVELS * np.float32(saturation), 0, 255).astype(np.uint8)
    tables = np.stack([turned, saturated, _LEVELS.astype(np.uint8)], axis=-1)[None]
    back = cv2.cvtColor(cv2.LUT(hsv, tables), cv2.COLOR_HSV2RGB)
    return np.asarray(cv2.LUT(back, (_LEVELS / 255 * 255).astype(np.uint8)), dtype=np.uint8)


def rgb_from_yuv(colour_space: int, full_range: bool) -> Array:
    """(3, 4) affine map of 8-bit YUV to RGB in 0..255.

    Args:
        colour_space: FFmpeg's `AVColorSpace` number; 1 is BT.709, anything else counts as BT.601, as in swscale.
        full_range: luma uses 0..255 instead of 16..235.
    """
    kr, kb = (0.2126, 0.0722) if colour_space == 1 else (0.299, 0.114)
    kg = 1 - kr - kb
    y_scale, c_scale, y_offset = (1.0, 1.0, 0.0) if full_range else (255 / 219, 255 / 224, 16.0)
    chroma = np.array([[0, 2 * (1 - kr)], [-2 * kb * (1 - kb) / kg, -2 * kr * (1 - kr) / kg], [2 * (1 - kb), 0]])
    linear = np.concatenate([np.full((3, 1), y_scale), chroma * c_scale], axis=1)
    return np.concatenate([linear, -linear @ np.array([[y_offset], [128.0], [128.0]])], axis=1)
