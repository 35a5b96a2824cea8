"""What a hand's skin looks like: nails, creases, knuckles and the shade between fingers, on its back and its palm."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_policy.hand.skeleton import HandSkeleton
from vitra_training.labeling.truth.hand_mesh import HandMesh

Array = NDArray[np.float64]

TEXTURE_PX = 512
_LOW_M, _HIGH_M = np.array([-0.23, -0.10]), np.array([0.07, 0.11])
"""Corners (x, z) of each face of the atlas in the right wrist frame."""
_FINGER_M = 0.008
_PALM_LINES = (
    ((-0.088, 0.030), (-0.070, 0.012), (-0.050, 0.004), (-0.020, 0.010)),
    ((-0.084, 0.032), (-0.076, 0.008), (-0.066, -0.016), (-0.056, -0.034)),
    ((-0.082, -0.038), (-0.086, -0.020), (-0.092, 0.000), (-0.100, 0.014)),
)
"""Lines of life, head and heart, roughly."""


@dataclass(frozen=True, slots=True)
class SkinMesh:
    """A hand whose back and palm have their own vertices along the seam, with places on the atlas."""

    vertices_m: Array
    """(V, 3)."""
    faces: NDArray[np.int32]
    """(F, 3)."""
    weights: Array
    """(V, 16)."""
    atlas: Array
    """(V, 2) in 0 .. 1: the back in the left half, the palm in the right half."""


def unwrap(mesh: HandMesh) -> SkinMesh:
    """Cut a mesh along the seam between back and palm and lay both flat."""
    corners = mesh.vertices_m[mesh.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    palm = (normal[:, 1] < 0).astype(np.int64)
    keys, inverse = np.unique(mesh.faces.astype(np.int64) * 2 + palm[:, None], return_inverse=True)
    number, half = keys // 2, keys % 2
    flat = (mesh.vertices_m[number][:, [0, 2]] - _LOW_M) / (_HIGH_M - _LOW_M)
    atlas = np.stack([0.5 * (np.clip(flat[:, 1], 0.0, 1.0) + half), np.clip(flat[:, 0], 0.0, 1.0)], axis=1)
    return SkinMesh(mesh.vertices_m[number], inverse.reshape(-1, 3).astype(np.int32), mesh.weights[number], atlas)


def paint_skin(skeleton: HandSkeleton, skin: tuple[float, float, float], rng: np.random.Generator) -> NDArray[np.uint8]:
    """(512, 512, 3) the atlas of a hand with this colour of skin (0 .. 1).

    Args:
        skeleton: Shape of the hand.
        skin: Red, green, blue.
        rng: Of spots and folds.
    """
    half = TEXTURE_PX // 2
    row, column = np.meshgrid((np.arange(TEXTURE_PX) + 0.5) / TEXTURE_PX, (np.arange(half) + 0.5) / half, indexing="ij")
    x = _LOW_M[0] + row * (_HIGH_M[0] - _LOW_M[0])
    z = _LOW_M[1] + column * (_HIGH_M[1] - _LOW_M[1])
    faces = [_face(skeleton, np.array(skin), x, z, palm, rng) for palm in (False, True)]
    return np.asarray(np.clip(255 * np.concatenate(faces, axis=1), 0, 255), dtype=np.uint8)


def _face(skeleton: HandSkeleton, skin: Array, x: Array, z: Array, palm: bool, rng: np.random.Generator) -> Array:
    """One face of the atlas."""
    colour = np.tile(skin, (*x.shape, 1))
    if palm:  # less tan, more blood
        colour = 0.7 * colour + 0.3 * np.array([0.95, 0.72, 0.64]) * (0.4 + 0.6 * skin.mean() / 0.75)
    mottle = cv2.GaussianBlur(rng.normal(0, 1, x.shape), (0, 0), 9) * 0.35
    grain = cv2.GaussianBlur(rng.normal(0, 1, x.shape), (0, 0), 1.2) * 0.035
    colour = colour * (1 + mottle + grain)[..., None]
    away = np.full(x.shape, np.inf)
    for finger in range(5):
        chain = [*skeleton.joints_m[3 * finger + 1 : 3 * finger + 4], skeleton.tips_m[finger]]
        ends = [np.array([point[0], point[2]]) for point in chain]
        for a, b in zip(ends[:-1], ends[1:], strict=True):
            along = b - a
            share = np.clip(((x - a[0]) * along[0] + (z - a[1]) * along[1]) / (along @ along), 0, 1)
            away = np.minimum(away, np.hypot(x - a[0] - share * along[0], z - a[1] - share * along[1]))
        _joints(colour, ends, x, z, palm, rng)
        tip, before = ends[3], ends[2]
        forward = (tip - before) / np.linalg.norm(tip - before)
        red = np.exp(-((x - tip[0]) ** 2 + (z - tip[1]) ** 2) / (2 * 0.009**2))
        colour *= 1 - red[..., None] * (np.array([0.0, 0.10, 0.08]) if palm else np.array([0.0, 0.05, 0.04]))
        if not palm:
            _nail(colour, tip, forward, x, z)
    # Between fingers little light comes in.
    shade = np.clip((away - 0.55 * _FINGER_M) / _FINGER_M, 0, 1) * np.clip((-0.085 - x) / 0.025, 0, 1)
    colour *= 1 - 0.45 * shade[..., None]
    if palm:
        for line in _PALM_LINES:
            colour *= 1 - 0.3 * _stroke(np.array(line), x, z, 0.0008)[..., None]
    return colour


def _joints(colour: Array, ends: list[Array], x: Array, z: Array, palm: bool, rng: np.random.Generator) -> None:
    """Creases across a finger at its joints; the back of the joints is redder."""
    for number in range(3):
        place = ends[number]
        forward = ends[number + 1] - place
        forward = forward / np.linalg.norm(forward)
        along = (x - place[0]) * forward[0] + (z - place[1]) * forward[1]
        across = -(x - place[0]) * forward[1] + (z - place[1]) * forward[0]
        wide = np.exp(-((across / 0.0075) ** 4))
        if not palm:
            glow = np.exp(-(along**2 + across**2) / (2 * 0.007**2))[..., None]
            colour *= 1 - glow * np.array([0.02, 0.10, 0.09])
        for offset in (-0.0022, 0.0, 0.0024) if not palm and number else (0.0,):
            bend = offset + 0.0006 * np.sin(across * 900 + rng.uniform(0, 6)) + 12 * offset * np.abs(across)
            depth = 0.28 if number or palm else 0.12
            colour *= 1 - depth * (wide * np.exp(-(((along - bend) / 0.0006) ** 2)))[..., None]


def _nail(colour: Array, tip: Array, forward: Array, x: Array, z: Array) -> None:
    """A nail with its moon and rim on the back of a fingertip."""
    middle = tip - 0.003 * forward
    along = (x - middle[0]) * forward[0] + (z - middle[1]) * forward[1]
    across = -(x - middle[0]) * forward[1] + (z - middle[1]) * forward[0]
    reach = (np.abs(along) / 0.0068) ** 3 + (np.abs(across) / 0.0052) ** 3
    inside, rim = reach < 1, (reach >= 1) & (reach < 1.5)
    nail = np.array([0.93, 0.76, 0.72]) * (0.55 + 0.45 * colour.mean() / 0.6)
    colour[inside] = 0.35 * colour[inside] + 0.65 * nail
    colour[rim] *= 0.72
    colour[inside & (along < -0.0045)] *= 1.06
    colour[inside & (along > 0.0055)] = 0.9 * np.array([0.97, 0.94, 0.9])


def _stroke(points: Array, x: Array, z: Array, width_m: float) -> Array:
    """How much of a line runs through each place."""
    strength = np.zeros(x.shape)
    for a, b in zip(points[:-1], points[1:], strict=True):
        along = b - a
        share = np.clip(((x - a[0]) * along[0] + (z - a[1]) * along[1]) / (along @ along), 0, 1)
        away = np.hypot(x - a[0] - share * along[0], z - a[1] - share * along[1])
        strength = np.maximum(strength, np.exp(-((away / width_m) ** 2)))
    return strength
