"""Bundle adjustment of point tracks over many frames, with a robust loss; what moves by itself is left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_training.labeling.camera.motion import PointTracks

Array = NDArray[np.float64]

_LEAST_SEEN = 3
_LEAST_ANGLE_RAD = float(np.radians(0.2))
_ROUNDS_PX = ((20.0, 2.0), (2.0, 0.5))
"""Observations further off are left out, and the scale of the loss: of a start, then of what came of it.

Leaving out more of a start makes it fit itself: a stretch of a path that is wrong would lose what shows that it is."""
_LEAST_OBSERVATIONS = 30
_MOST_SEEN = 40
"""Observations of one point that count in a start; a solver's step takes the square of their number."""
_ITERATIONS = 40
_WEIGHTINGS = 4
_BIAS_SHARE = 0.015
"""What the tracker's patches do to the focal length of a clip, the same for all its points (rendered videos)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Points seen in some frames of a clip."""

    frames: NDArray[np.int64]
    """(F,) numbers of the frames in the clip."""
    size_px: tuple[int, int]
    """Width and height of the images."""
    row: NDArray[np.int64]
    """(N,) place of each observation's frame in `frames`."""
    point: NDArray[np.int64]
    """(N,) place of its point in `ids`."""
    pixels: Array
    """(N, 2) from the image's middle."""
    ids: NDArray[np.int32]
    """(P,) numbers of the points in the tracks."""


@dataclass(frozen=True, slots=True)
class Adjusted:
    """What fits the tracks best near a start."""

    camera_from_world: Array
    """(F, 4, 4)."""
    focal_px: float
    focal_sigma_px: float
    """From the covariance of the adjustment; infinite where the focal length was held."""
    points_m: Array
    """(Q, 3) in the world, arbitrary size."""
    point_ids: NDArray[np.int32]
    """(Q,) their numbers in the tracks."""
    held: NDArray[np.int64]
    """(F,) observations that fit, for each frame."""
    rms_px: float
    misfit: float
    """Of all observations, those left out, too: mean of log(1 + squared error in pixels)."""


def seen_in(tracks: PointTracks, frames: NDArray[np.int64], size_px: tuple[int, int]) -> Seen:
    """Observations of points that are seen in several of these frames.

    Args:
        tracks: of the background.
        frames: (F,) of the clip.
        size_px: width and height of the images.
    """
    place = np.full(int(max(frames.max(initial=0), tracks.frames.max(initial=0))) + 1, -1)
    place[frames] = np.arange(len(frames))
    used = place[tracks.frames] >= 0
    counts = np.bincount(tracks.points[used], minlength=int(tracks.points.max(initial=0)) + 1)
    used &= counts[tracks.points] >= _LEAST_SEEN
    order = np.flatnonzero(used)[np.argsort(tracks.points[used], kind="stable")]
    ids, point = np.unique(tracks.points[order], return_inverse=True)
    pixels = tracks.pixels[order].astype(np.float64) - np.array(size_px) / 2
    return Seen(frames, size_px, place[tracks.frames[order]], point, pixels, ids)


def triangulated(seen: Seen, poses: Array, focal_px: float) -> tuple[Array, Array]:
    """Points (P, 3) from known poses, and the error (N,) of each observation in pixels, infinite behind the camera.

    Args:
        seen: the observations.
        poses: (F, 4, 4) camera_from_world.
        focal_px: of the camera.
    """
    P, xy, count = poses[seen.row], seen.pixels / focal_px, len(seen.ids)
    lines = xy[:, :, None] * P[:, 2:3] - P[:, :2]
    products = np.einsum("nki,nkj->nij", lines, lines).reshape(-1, 16)
    weight = np.ones(len(xy))
    points, error = np.zeros((count, 3)), np.zeros(len(xy))
    for _ in range(_WEIGHTINGS):
        sums = [np.bincount(seen.point, weight * products[:, k], count) for k in range(16)]
        flat = np.linalg.eigh(np.stack(sums, axis=1).reshape(-1, 4, 4))[1][:, :, 0]
        points = flat[:, :3] / np.where(np.abs(flat[:, 3:]) < 1e-9, 1e-9, flat[:, 3:])
        at = np.einsum("nij,nj->ni", P[:, :3, :3], points[seen.point]) + P[:, :3, 3]
        depth = np.where(np.abs(at[:, 2]) < 1e-9, 1e-9, at[:, 2])
        error = focal_px * np.linalg.norm(at[:, :2] / depth[:, None] - xy, axis=1)
        weight = 1 / ((1 + error**2) * depth**2)
        error[at[:, 2] <= 0] = np.inf
    return points, error


def thinned(seen: Seen, keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Observations (N,) that decide a start: of a point that is kept in very many frames, some all along its track.

    Args:
        seen: the observations.
        keep: (N,) those that count.
    """
    rows = np.flatnonzero(keep)
    point = seen.point[rows]
    length = np.bincount(point, minlength=len(seen.ids))[point]
    place = np.arange(len(rows)) - np.searchsorted(point, point)
    steps = np.minimum(length, _MOST_SEEN) - 1
    last = np.maximum(length - 1, 1)
    chosen = keep.copy()
    chosen[rows] = (length <= _MOST_SEEN) | ((place * steps) // last != ((place - 1) * steps) // last)
    return chosen


def misfit(error_px: Array) -> float:
    """How badly observations fit, so that those far off count little more than those that are off.

    Args:
        error_px: (N,).
    """
    return float(np.log1p(np.minimum(error_px, 100.0) ** 2).mean()) if len(error_px) else float("inf")


@dataclass(frozen=True, slots=True)
class Guess:
    """Where an adjustment begins."""

    camera_from_world: Array
    """(F, 4, 4); the first one stays."""
    focal_px: float
    points_m: Array
    """(P, 3), numbered as in what was seen."""


def solve(seen: Seen, keep: NDArray[np.bool_], guess: Guess, loss_px: float, held: bool) -> tuple[Array, float]:
    """Poses (F, 4, 4) and focal length after an adjustment by COLMAP.

    Args:
        seen: the observations; points are numbered as in it.
        keep: (N,) those that count.
        guess: to start from.
        loss_px: scale of the Cauchy loss.
        held: whether the focal length stays.
    """
    import pycolmap

    pycolmap.logging.minloglevel = 3  # a step that cannot be computed is tried again, shorter
    width, height = seen.size_px
    model = pycolmap.Reconstruction()
    model.add_camera_with_trivial_rig(pycolmap.Camera(
        model="SIMPLE_PINHOLE", width=width, height=height, params=[guess.focal_px, width / 2, height / 2], camera_id=1,
    ))  # fmt: skip
    place = np.zeros(len(keep), dtype=np.int64)
    absolute = seen.pixels + np.array(seen.size_px) / 2
    wanted = pycolmap.BundleAdjustmentConfig()
    for row, pose in enumerate(guess.camera_from_world):
        rows = np.flatnonzero(keep & (seen.row == row))
        place[rows] = np.arange(len(rows))
        spots = pycolmap.Point2DList([pycolmap.Point2D(spot) for spot in absolute[rows]])
        image = pycolmap.Image(name=str(row), points2D=spots, camera_id=1, image_id=row + 1)
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pose[:3]))
        wanted.add_image(row + 1)
    rows = np.flatnonzero(keep)
    for group in np.split(rows, np.flatnonzero(np.diff(seen.point[rows])) + 1):
        track = pycolmap.Track([pycolmap.TrackElement(int(seen.row[n]) + 1, int(place[n])) for n in group])
        model.add_point3D(guess.points_m[seen.point[group[0]]], track)
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = options.refine_extra_params = False
    options.refine_focal_length = not held
    options.ceres.loss_function_type, options.ceres.loss_function_scale = pycolmap.LossFunctionType.CAUCHY, loss_px
    solver = options.ceres.solver_options
    solver.max_num_iterations, solver.num_threads, solver.function_tolerance = _ITERATIONS, 1, 1e-5
    solver.initial_trust_region_radius = 100.0  # a long first step may put all points behind the cameras: no error
    wanted.set_constant_rig_from_world_pose(1)
    pycolmap.create_default_bundle_adjuster(options, wanted, model).solve()
    poses = np.tile(np.eye(4), (len(guess.camera_from_world), 1, 1))
    for row, pose in enumerate(poses):
        pose[:3] = model.images[row + 1].cam_from_world().matrix()
    return poses, float(model.cameras[1].params[0])


def adjust(seen: Seen, poses: Array, focal_px: float, held: bool) -> Adjusted | None:
    """Poses, points and focal length that fit best; None where too few observations fit the start.

    Args:
        seen: the observations.
        poses: (F, 4, 4) camera_from_world to start from.
        focal_px: to start from.
        held: whether it is known.
    """
    for limit, loss in _ROUNDS_PX:
        points, error = triangulated(seen, poses, focal_px)
        keep = _kept(seen, poses, points, error < limit)
        if keep.sum() < _LEAST_OBSERVATIONS:
            return None
        poses, points = _of_unit_size(poses, points, keep, seen)
        counted = keep if (limit, loss) == _ROUNDS_PX[-1] else thinned(seen, keep)
        poses, focal_px = solve(seen, counted, Guess(poses, focal_px, points), loss, held)
        if not (np.isfinite(poses).all() and focal_px > 0):
            return None
    world, error = triangulated(seen, poses, focal_px)
    keep = _kept(seen, poses, world, error < _ROUNDS_PX[-1][0])
    good = np.unique(seen.point[keep])
    if len(good) == 0:
        return None
    sigma = float("inf") if held else _focal_sigma(seen, keep, poses, world, focal_px)
    return Adjusted(
        poses, focal_px, sigma, world[good], seen.ids[good], np.bincount(seen.row[keep], minlength=len(poses)),
        float(np.sqrt((error[keep] ** 2).mean())), misfit(error),
    )  # fmt: skip


def _kept(seen: Seen, poses: Array, points: Array, near: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Observations that fit, of points that enough of them see from far enough apart."""
    centres = -np.einsum("fji,fj->fi", poses[:, :3, :3], poses[:, :3, 3])
    ray = points[seen.point] - centres[seen.row]
    ray /= np.maximum(np.linalg.norm(ray, axis=1, keepdims=True), 1e-12)
    count = np.bincount(seen.point, near, len(points))
    mean = np.stack([np.bincount(seen.point, near * ray[:, k], len(points)) for k in range(3)], axis=1)
    spread = np.sqrt(np.maximum(1 - ((mean / np.maximum(count, 1)[:, None]) ** 2).sum(axis=1), 0))
    return np.asarray(near & ((count >= _LEAST_SEEN) & (spread > _LEAST_ANGLE_RAD))[seen.point])


def _of_unit_size(poses: Array, points: Array, keep: NDArray[np.bool_], seen: Seen) -> tuple[Array, Array]:
    """The same with a median depth of 1, on which the solver's steps depend."""
    P = poses[seen.row[keep]]
    depth = np.einsum("nj,nj->n", P[:, 2, :3], points[seen.point[keep]]) + P[:, 2, 3]
    size = 1 / max(float(np.median(depth)), 1e-12)
    scaled = poses.copy()
    scaled[:, :3, 3] *= size
    return scaled, points * size


def _focal_sigma(seen: Seen, keep: NDArray[np.bool_], poses: Array, points: Array, focal: float) -> float:
    """Standard deviation of the focal length; errors of one track go together, so tracks count, not observations.

    The information of the focal length is what its derivative keeps after all poses (six numbers each) and points
    (three each) were fitted to it.
    """
    rows = np.flatnonzero(keep)
    rows = rows[np.argsort(seen.point[rows], kind="stable")]
    ids, point = np.unique(seen.point[rows], return_inverse=True)
    row, P = seen.row[rows], poses[seen.row[rows]]
    at = np.einsum("nij,nj->ni", P[:, :3, :3], points[seen.point[rows]]) + P[:, :3, 3]
    x, y, z = at.T
    zero = np.zeros_like(x)
    to_pixel = focal * np.stack([np.stack([1 / z, zero, -x / z**2], 1), np.stack([zero, 1 / z, -y / z**2], 1)], axis=1)
    cross = np.stack([np.stack([zero, z, -y], 1), np.stack([-z, zero, x], 1), np.stack([y, -x, zero], 1)], axis=1)
    by_pose = np.concatenate([to_pixel @ cross, to_pixel], axis=2)
    by_point = to_pixel @ P[:, :3, :3]
    by_focal = np.stack([x / z, y / z], axis=1)
    residual = focal * by_focal - seen.pixels[rows]
    by_frame = np.zeros((len(ids), 3, 6 * len(poses)))
    shared = np.einsum("nki,nkj->nij", by_point, by_pose)
    by_frame.reshape(len(ids), 3, len(poses), 6)[point, :, row] = shared
    V = _sums(point, np.einsum("nki,nkj->nij", by_point, by_point), len(ids))
    V += 1e-9 * np.trace(V, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    b = _sums(point, np.einsum("nki,nk->ni", by_point, by_focal)[:, None], len(ids))[:, 0]
    solved = np.linalg.solve(V, np.concatenate([by_frame, b[:, :, None]], axis=2))
    U = np.zeros((len(poses), 6, len(poses), 6))
    every = np.arange(len(poses))
    U[every, :, every] = _sums(row, np.einsum("nki,nkj->nij", by_pose, by_pose), len(poses))
    flat = by_frame.reshape(-1, 6 * len(poses))
    S = U.reshape(6 * len(poses), -1) - flat.T @ solved[:, :, :-1].reshape(flat.shape)
    c = _sums(row, np.einsum("nki,nk->ni", by_pose, by_focal)[:, None], len(poses))[:, 0].ravel()
    c = c - flat.T @ solved[:, :, -1].ravel()
    best = np.linalg.lstsq(S, c, rcond=1e-9)[0]
    change = by_focal - np.einsum("nki,ni->nk", by_pose, best.reshape(-1, 6)[row])
    change -= np.einsum("nki,ni->nk", by_point, (solved[:, :, -1] - solved[:, :, :-1] @ best)[point])
    information = float((change**2).sum())
    together = np.bincount(point, (change * residual).sum(axis=1), len(ids))
    return float(np.hypot(np.sqrt((together**2).sum()) / max(information, 1e-12), _BIAS_SHARE * focal))


def _sums(place: NDArray[np.int64], blocks: Array, count: int) -> Array:
    """Blocks (N, a, b) summed where `place` is the same: (count, a, b)."""
    flat = blocks.reshape(len(blocks), -1)
    sums = [np.bincount(place, column, count) for column in flat.T]
    return np.asarray(np.stack(sums, axis=1).reshape(count, *blocks.shape[1:]), dtype=np.float64)
