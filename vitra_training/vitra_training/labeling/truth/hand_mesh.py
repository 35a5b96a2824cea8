"""A smooth hand of our own around the MANO-convention skeleton: blended capsules, meshed, with skinning weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_policy.hand.skeleton import PARENTS, HandSkeleton, default_skeleton

Array = NDArray[np.float64]

_CELL_M = 0.0042
_BLEND_M = 0.006
_FINGER_RADII_M = {
    0: (0.0095, 0.0085, 0.0078, 0.0068),
    1: (0.0098, 0.0088, 0.008, 0.007),
    2: (0.0085, 0.0074, 0.0066, 0.0058),
    3: (0.0093, 0.0083, 0.0075, 0.0066),
    4: (0.0135, 0.0115, 0.0105, 0.0088),
}  # MANO's finger order
_PALM_RADIUS_M = 0.0125
_FOREARM_M = 0.018


@dataclass(frozen=True, slots=True)
class HandMesh:
    """A closed surface in the right wrist frame, with linear blend weights of the 16 joints."""

    vertices_m: Array
    """(V, 3)."""
    faces: NDArray[np.int32]
    """(F, 3)."""
    weights: Array
    """(V, 16), rows sum to 1."""


@cache
def right_hand_mesh() -> HandMesh:
    """The surface of the average hand."""
    return make_mesh(default_skeleton())


def make_mesh(skeleton: HandSkeleton) -> HandMesh:
    """The surface around a skeleton at rest."""
    capsules = _capsules(skeleton)
    points = np.concatenate([np.stack([a, b]) for a, b, _, _, _ in capsules])
    low, high = points.min(axis=0) - 0.035, points.max(axis=0) + 0.035
    axes = [np.arange(lo, hi, _CELL_M) for lo, hi in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    field = _smooth_distance(grid, capsules)
    vertices, faces = surface_nets(field, low, _CELL_M)
    return HandMesh(vertices, faces, _weights(vertices, capsules))


def _capsules(skeleton: HandSkeleton) -> list[tuple[Array, Array, float, float, int]]:
    """Ends, radii and joint of every capsule."""
    joints, tips = skeleton.joints_m, skeleton.tips_m
    found: list[tuple[Array, Array, float, float, int]] = []
    wrist = np.array([0.004, 0.0, 0.0])
    for finger in range(5):
        radii = _FINGER_RADII_M[finger]
        chain = [joints[3 * finger + 1], joints[3 * finger + 2], joints[3 * finger + 3], tips[finger]]
        for k in range(3):
            end = chain[k + 1] if k < 2 else chain[3] + (chain[2] - chain[3]) * 0.25
            found.append((chain[k], end, radii[k], radii[k + 1], 3 * finger + 1 + k))
        root = wrist + [0, 0, 0.6 * np.clip(chain[0][2], -0.03, 0.03)]
        found.append((root, chain[0], _PALM_RADIUS_M, radii[0] * 1.15, 0))
    for a, b in ((1, 4), (4, 10), (10, 7)):  # webs between the knuckles, and the ball of the thumb
        middle = 0.72 * joints[a], 0.72 * joints[b]
        found.append((middle[0], middle[1], _PALM_RADIUS_M, _PALM_RADIUS_M, 0))
    found.append((joints[13] * 0.6, joints[13] + 0.35 * (joints[14] - joints[13]), 0.016, 0.014, 0))
    for z in (-0.014, 0.014):
        found.append((np.array([0.0, 0, z]), np.array([_FOREARM_M, 0, z]), 0.016, 0.018, 0))
    return found


def _smooth_distance(points: Array, capsules: list[tuple[Array, Array, float, float, int]]) -> Array:
    total = np.zeros(points.shape[:-1])
    for a, b, ra, rb, _ in capsules:
        total += np.exp(-_distance(points, a, b, ra, rb) / _BLEND_M * 2.5)
    return np.asarray(-_BLEND_M / 2.5 * np.log(np.maximum(total, 1e-300)))


def _distance(points: Array, a: Array, b: Array, ra: float, rb: float) -> Array:
    along = b - a
    share = np.clip((points - a) @ along / max(float(along @ along), 1e-12), 0, 1)
    return np.asarray(np.linalg.norm(points - a - share[..., None] * along, axis=-1) - (ra + share * (rb - ra)))


def _weights(vertices: Array, capsules: list[tuple[Array, Array, float, float, int]]) -> Array:
    weights = np.zeros((len(vertices), 16))
    for a, b, ra, rb, joint in capsules:
        near = np.exp(-np.maximum(_distance(vertices, a, b, ra, rb), -0.004) / 0.0025)
        weights[:, joint] = np.maximum(weights[:, joint], near)
    # Only a joint, its parent and its children share a point: fingers side by side do not pull each other.
    best = weights.argmax(axis=1)
    allowed = np.eye(16, dtype=bool)
    for joint in range(1, 16):
        allowed[joint, PARENTS[joint]] = allowed[PARENTS[joint], joint] = True
    weights *= allowed[best]
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def surface_nets(field: Array, origin_m: Array, cell_m: float) -> tuple[Array, NDArray[np.int32]]:
    """The zero level of a scalar field (X, Y, Z) as a mesh (naive surface nets: Gibson 1998).

    Args:
        field: Negative inside.
        origin_m: Place (3,) of its first sample.
        cell_m: Distance of two.

    Returns:
        Vertices (V, 3) and triangles (F, 3) that turn counter-clockwise seen from where the field is positive.
    """
    inside = field < 0
    shape = np.array(field.shape) - 1
    corners = [np.array([x, y, z]) for x in (0, 1) for y in (0, 1) for z in (0, 1)]

    def view(values: NDArray[Any], c: NDArray[np.int64]) -> NDArray[Any]:
        return values[c[0] : c[0] + shape[0], c[1] : c[1] + shape[1], c[2] : c[2] + shape[2]]

    count = sum(view(inside, c).astype(np.int8) for c in corners)
    cells = np.argwhere((count > 0) & (count < 8))
    number = np.full(shape, -1, dtype=np.int64)
    number[tuple(cells.T)] = np.arange(len(cells))
    total, crossings = np.zeros((len(cells), 3)), np.zeros(len(cells))
    for a in corners:
        for axis in range(3):
            if a[axis]:
                continue
            b = a + np.eye(3, dtype=int)[axis]
            fa, fb = field[tuple((cells + a).T)], field[tuple((cells + b).T)]
            cross = (fa < 0) != (fb < 0)
            share = np.where(cross, fa / np.where(cross, fa - fb, 1.0), 0.0)
            total += cross[:, None] * (a + share[:, None] * (b - a))
            crossings += cross
    vertices = origin_m + (cells + total / crossings[:, None]) * cell_m
    faces = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3, dtype=int)[axis]
        low = np.argwhere(inside[: shape[0], : shape[1], : shape[2]] != _shifted(inside, step, shape))
        low = low[(low[:, u] > 0) & (low[:, v] > 0)]
        du, dv = np.eye(3, dtype=int)[u], np.eye(3, dtype=int)[v]
        quad = np.stack([number[tuple((low - s).T)] for s in (0 * du, du, du + dv, dv)], axis=1)
        outward = inside[tuple(low.T)]
        quad = np.where(outward[:, None], quad, quad[:, ::-1])
        quad = quad[(quad >= 0).all(axis=1)]
        faces += [quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]]
    return vertices, np.concatenate(faces).astype(np.int32)


def _shifted(values: NDArray[np.bool_], step: NDArray[np.int_], shape: NDArray[np.int_]) -> NDArray[np.bool_]:
    x, y, z = step
    return values[x : x + shape[0], y : y + shape[1], z : z + shape[2]]
