"""A first path of a camera: it only turns, all points are equally far away, and an adjustment finds the rest.

Head cameras move by centimetres while they look at things half a metre away: from there the adjustment finds the right
path more often than two views with little between them (Ha et al. 2016 begin in the same way).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitra_training.labeling.camera.adjust import Guess, Seen, misfit, solve, thinned, triangulated

Array = NDArray[np.float64]

_LOSS_PX = 2.0


def flat_start(seen: Seen, focal_px: float) -> tuple[Array, float]:
    """Poses (F, 4, 4) camera_from_world for a focal length, and how badly the tracks fit them.

    Args:
        seen: the observations.
        focal_px: guessed or known.
    """
    rays = np.column_stack([seen.pixels / focal_px, np.ones(len(seen.row))])
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    poses = np.tile(np.eye(4), (len(seen.frames), 1, 1))
    poses[:, :3, :3] = _turns(seen, rays)
    away = np.einsum("nji,nj->ni", poses[seen.row, :3, :3], rays)
    sums = [np.bincount(seen.point, away[:, k], len(seen.ids)) for k in range(3)]
    points = np.asarray(np.stack(sums, axis=1), dtype=np.float64)
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    counted = thinned(seen, np.ones(len(seen.row), dtype=bool))
    poses, _ = solve(seen, counted, Guess(poses, focal_px, points), _LOSS_PX, held=True)
    if not np.isfinite(poses).all():
        return poses, float("inf")
    return poses, misfit(triangulated(seen, poses, focal_px)[1])


def _turns(seen: Seen, rays: Array) -> Array:
    """(F, 3, 3) rotations of a camera that does not move, frame by frame; what disagrees counts little."""
    turns = np.tile(np.eye(3), (len(seen.frames), 1, 1))
    rows = [np.flatnonzero(seen.row == row) for row in range(len(seen.frames))]
    for row in range(1, len(seen.frames)):
        before, after = rows[row - 1], rows[row]
        _, a, b = np.intersect1d(seen.point[before], seen.point[after], assume_unique=True, return_indices=True)
        turns[row] = turns[row - 1]
        if len(a) >= 3:
            turns[row] = _turn(rays[before[a]], rays[after[b]]) @ turns[row - 1]
    return turns


def _turn(before: Array, after: Array) -> Array:
    weight, R = np.ones(len(before)), np.eye(3)
    for _ in range(5):
        U, _, Vt = np.linalg.svd((weight[:, None] * after).T @ before)
        R = U @ np.diag([1, 1, np.linalg.det(U @ Vt)]) @ Vt
        weight = 1 / (np.linalg.norm(after - before @ R.T, axis=1) + 1e-3)
    return R
