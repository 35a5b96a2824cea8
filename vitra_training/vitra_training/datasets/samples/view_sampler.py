"""Random views that keep a hand's path in sight and never look beyond the image (the paper's crop)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_training.datasets.camera import Camera
from vitra_training.datasets.samples.view import View

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """Ranges of random views; the defaults are the reference's (docs/model.md: Training)."""

    aspect_max: float = 2.0
    """Width to height of a view is log-uniform in [1, this]; it is then squashed to a square."""
    fov_min_deg: float = 45.0
    """Smallest horizontal field of view, degrees, where the source has as much."""
    fov_max_deg: float = 150.0
    """Largest horizontal field of view, degrees."""
    fov_min_relative: float = 0.05
    """Smallest horizontal field of view as a fraction of the source's."""
    roll_max_deg: float = 30.0
    """Turn about the viewing axis, degrees, either way."""
    margin: float = 0.05
    """Free border around the hand's path, as a fraction of its box on each side."""
    candidates: int = 64
    """Views drawn before giving up."""


def sample_view(
    source: Camera, path_m: Array, rng: np.random.Generator, options: ViewOptions, flipped: bool = False
) -> View | None:
    """A random view whose image lies inside the source's and which shows all of the path that the source shows.

    Args:
        source: the camera that took the image.
        path_m: (N, 3) palm path in its coordinates; points outside the image do not count.
        rng: source of randomness; consumes a fixed amount.
        options: ranges.
        flipped: mirror the view.

    Returns:
        None when no candidate fits, which callers count.
    """
    box = _path_box(source, path_m, options.margin)
    draws = rng.random((options.candidates, 6))
    tameness = np.linspace(0, 1, options.candidates)  # later candidates roll less, so that the last ones fit easily
    for batch in (slice(0, 8), slice(8, None)):
        aspect = options.aspect_max ** draws[batch, 0]
        rotation = _propose(source, box, aspect, draws[batch], tameness[batch], options)
        low, high = _fitting_tangents(source, box, aspect, rotation, options)
        fitting = np.flatnonzero(low <= high)
        if len(fitting):
            i = fitting[0]
            tangent = low[i] + (high[i] - low[i]) * draws[batch][i, 5]
            return View(rotation[i], 2 * np.arctan([tangent, tangent / aspect[i]]), flipped)
    return None


def _path_box(source: Camera, path_m: Array, margin: float) -> Array | None:
    """(2, 2) lowest and highest pixel of the path with its margin, within the image; None when nothing is seen."""
    shown = path_m[source.sees(path_m)] if len(path_m) else path_m
    if not len(shown):
        return None
    pixels = source.project(shown)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    border = margin * (high - low)
    return np.asarray(np.clip([low - border, high + border], 0, (source.width_px, source.height_px)))


def _propose(
    source: Camera, box: Array | None, aspect: Array, draws: Array, tameness: Array, options: ViewOptions
) -> Array:
    """Candidate rotations (C, 3, 3): directions in which a view of some drawn size fits to first order."""
    focal, size = source.intrinsics[[0, 1], [0, 1]], np.array([source.width_px, source.height_px], dtype=np.float64)
    roll = np.radians(options.roll_max_deg) * (2 * draws[:, 1] - 1) * (1 - tameness)
    cos, sin = np.cos(roll), np.abs(np.sin(roll))
    # Half extents in source pixels, per unit of the horizontal tangent, of the box around the rolled view.
    reach = np.stack([focal[0] * (cos + sin / aspect), focal[1] * (sin + cos / aspect)], axis=1)
    widest = (size / 2 / reach).min(axis=1)
    narrowest = np.full(len(draws), _least_tangent(source, options))
    if box is not None:
        narrowest = np.maximum(narrowest, ((box[1] - box[0]) / 2 / reach).max(axis=1))
    extent = reach * (np.minimum(narrowest, widest) + np.maximum(widest - narrowest, 0) * draws[:, 2])[:, None]
    low, high = extent, size - extent
    if box is not None:
        low, high = np.maximum(low, box[1] - extent), np.minimum(high, box[0] + extent)
    centre = low + (high - low) * draws[:, 3:5]
    direction = np.concatenate([(centre - source.intrinsics[:2, 2]) / focal, np.ones((len(draws), 1))], axis=1)
    return _look_at(direction, roll)


def _least_tangent(source: Camera, options: ViewOptions) -> float:
    least = max(np.radians(options.fov_min_deg), options.fov_min_relative * float(source.fov_rad[0]))
    return float(np.tan(min(least, 0.9 * float(source.fov_rad[0])) / 2))


def _fitting_tangents(
    source: Camera, box: Array | None, aspect: Array, rotation: Array, options: ViewOptions
) -> tuple[Array, Array]:
    """Exact range (C,), (C,) of horizontal half-size tangents: the view inside the image, the box inside the view.

    A corner of the view is linear in the tangent, and so is its distance to each side plane of the source's frustum.
    """
    K, inverse = source.intrinsics, np.linalg.inv(source.intrinsics)
    planes = np.array([K[0], source.width_px * K[2] - K[0], K[1], source.height_px * K[2] - K[1]])  # >= 0 is inside
    in_view = planes @ np.swapaxes(rotation, 1, 2)  # (C, 4 planes, 3)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / np.stack([np.ones_like(aspect), aspect], 1)[:, None]
    slope = np.einsum("cpi,cki->cpk", in_view[..., :2], corners)
    offset = in_view[..., 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        limit = np.where(slope < 0, -offset / slope, np.inf).min(axis=(1, 2))
    high = np.where((offset >= 0).all(axis=(1, 2)), limit, -1.0)
    high = np.minimum(high * (1 - 1e-9), np.tan(np.radians(options.fov_max_deg) / 2))
    low = np.full(len(aspect), _least_tangent(source, options))
    if box is not None:
        pixels = np.array([[box[i, 0], box[j, 1], 1.0] for i in (0, 1) for j in (0, 1)])
        seen = pixels @ inverse.T @ np.swapaxes(rotation, 1, 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = np.abs(seen[..., :2] / seen[..., 2:]) * np.stack([np.ones_like(aspect), aspect], 1)[:, None]
        low = np.maximum(low, np.where((seen[..., 2] > 0).all(axis=1), needed.max(axis=(1, 2)), np.inf))
    return low, high


def _look_at(direction: Array, roll: Array) -> Array:
    """Rotations (C, 3, 3) that turn directions (C, 3) to the optical axis by the shortest way, then roll."""
    x, y, z = (direction / np.linalg.norm(direction, axis=1, keepdims=True)).T
    k = 1 / (1 + z)
    shortest = np.stack([1 - k * x * x, -k * x * y, -x, -k * x * y, 1 - k * y * y, -y, x, y, z], axis=1)
    cos, sin, zero, one = np.cos(roll), np.sin(roll), np.zeros_like(roll), np.ones_like(roll)
    turn = np.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], axis=1)
    rotations: Array = turn.reshape(-1, 3, 3) @ shortest.reshape(-1, 3, 3)
    return rotations
