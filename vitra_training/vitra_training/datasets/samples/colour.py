"""Colour jitter as one affine map, so that it costs nothing beside the conversion from YUV."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LUMA = np.array([0.299, 0.587, 0.114])
_YIQ = np.array([[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])


@dataclass(frozen=True, slots=True)
class ColourOptions:
    """Ranges of the jitter; the defaults are the reference's (docs/model.md: Training)."""

    probability: float = 0.8
    """How often colours change at all."""
    brightness: float = 0.3
    """Factor in [1 - this, 1 + this]."""
    contrast: float = 0.3
    """Factor about the mean grey in [1 - this, 1 + this]."""
    saturation: float = 0.4
    """Factor in [1 - this, 1 + this]."""
    hue_turns: float = 0.3
    """Hue shift in turns, either way."""
    hue_turns_named: float = 0.04
    """The same when the caption names a colour."""


def sample_colour(rng: np.random.Generator, options: ColourOptions, colour_named: bool) -> Array | None:
    """(4,) brightness, contrast, saturation factors and hue shift in turns; None for no change.

    Consumes a fixed amount of randomness.
    """
    draws = rng.random(5)
    if draws[0] >= options.probability:
        return None
    hue = options.hue_turns_named if colour_named else options.hue_turns
    spread = np.array([options.brightness, options.contrast, options.saturation, hue])
    return np.array([1.0, 1.0, 1.0, 0.0]) + spread * (2 * draws[1:] - 1)


def colour_matrix(factors: Array, mean_grey: float) -> Array:
    """(3, 4) affine map of RGB in 0..255: brightness, then contrast about the mean grey, saturation and hue.

    Hue turns the chroma plane of YIQ, which keeps luma and is linear (a hue shift in HSV is not).

    Args:
        factors: (4,) of :func:`sample_colour`.
        mean_grey: mean luma of the picture before any change, 0..255.
    """
    brightness, contrast, saturation, hue = factors
    angle = 2 * np.pi * hue
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    saturate = saturation * np.eye(3) + (1 - saturation) * np.ones((3, 1)) * _LUMA
    linear = np.linalg.solve(_YIQ, turn @ _YIQ) @ saturate * (contrast * brightness)
    shift = (1 - contrast) * brightness * mean_grey
    return np.concatenate([linear, np.full((3, 1), shift)], axis=1)


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


def after(second: Array, first: Array) -> Array:
    """(3, 4) affine map that applies `first`, then `second`."""
    return np.concatenate([second[:, :3] @ first[:, :3], second[:, :3] @ first[:, 3:] + second[:, 3:]], axis=1)
