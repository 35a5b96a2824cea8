"""Clips put together again: one camera path and one world out of those of overlapping clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_policy.transforms import invert_pose, make_pose, slerp_rotation
from vitra_training.labeling.ingest.clips import blend_weights

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

_LEAST_BASELINE_M = 0.02


@dataclass(frozen=True, slots=True)
class JoinedPath:
    """A camera path over a whole video."""

    camera_from_world: Array
    """(T, 4, 4) in the world of the first clip that has a path; identity where no clip has one."""
    known: NDArray[np.bool_]
    """(T,) whether a clip covers the frame."""
    world_of: IntArray
    """(T,) number of the world: it changes where neighbouring clips share no frame, and poses there do not compare."""


def join_paths(paths: Mapping[int, Array], clips: IntArray, frames: int, metric: bool = True) -> JoinedPath:
    """Join the camera paths of clips, each in a world of its own.

    Each clip's world is moved onto that of its predecessor where both see the same frames (rotation and origin; also
    the size, where sizes are arbitrary and the camera moves enough to tell), and poses are blended across the overlap.

    Args:
        paths: clip -> (T_clip, 4, 4) camera_from_world; clips that failed are absent.
        clips: (N, 2) first and end frame of all clips.
        frames: of the video.
        metric: sizes of worlds are metres and are kept; otherwise they are matched.
    """
    poses = np.tile(np.eye(4), (frames, 1, 1))
    known, world_of = np.zeros(frames, dtype=bool), np.zeros(frames, dtype=np.int64)
    present = sorted(paths)
    weights = dict(zip(present, blend_weights(clips[present], frames), strict=True)) if present else {}
    previous, world = -1, -1
    for clip in present:
        start, end = map(int, clips[clip])
        here = invert_pose(paths[clip])  # world_from_camera: centres and directions are what is blended
        shared = np.arange(start, min(end, int(clips[previous][1]))) if previous >= 0 else np.arange(0)
        if len(shared) == 0:
            world += 1
        else:
            here = _onto(here, here[shared - start], poses[shared], metric)
        fresh = np.arange(start, end)
        old = fresh[known[fresh]]
        new = fresh[~known[fresh]]
        if len(old):
            share = weights[clip][old - start] / (
                weights[clip][old - start] + weights[previous][old - clips[previous][0]]
            )
            turned = slerp_rotation(poses[old, :3, :3], here[old - start, :3, :3], share)
            moved = poses[old, :3, 3] + share[:, None] * (here[old - start, :3, 3] - poses[old, :3, 3])
            poses[old] = make_pose(moved, turned)
        poses[new] = here[new - start]
        known[fresh], world_of[fresh] = True, world
        previous = clip
    return JoinedPath(np.where(known[:, None, None], invert_pose(poses), np.eye(4)), known, world_of)


def _onto(path: Array, mine: Array, theirs: Array, metric: bool) -> Array:
    """A path (T, 4, 4) world_from_camera, moved so that `mine` (n, 4, 4) comes to lie on `theirs` (n, 4, 4)."""
    turns = theirs[:, :3, :3] @ np.swapaxes(mine[:, :3, :3], 1, 2)
    U, _, Vt = np.linalg.svd(turns.sum(axis=0))
    R = U @ np.diag([1, 1, np.linalg.det(U @ Vt)]) @ Vt
    a, b = mine[:, :3, 3], theirs[:, :3, 3]
    size = 1.0
    if not metric:
        spread_a, spread_b = (np.linalg.norm(x - x.mean(axis=0), axis=1).max() for x in (a, b))
        if spread_b > _LEAST_BASELINE_M * 0.1 and spread_a > 1e-9:
            ca, cb = (a - a.mean(axis=0)) @ R.T, b - b.mean(axis=0)
            size = float((ca * cb).sum() / (ca * ca).sum())
    shift = b.mean(axis=0) - size * R @ a.mean(axis=0)
    return np.asarray(make_pose(size * path[:, :3, 3] @ R.T + shift, R @ path[:, :3, :3]))


def join_rows(
    rows: Mapping[int, Array], clips: IntArray, frames: int, confidence: Mapping[int, Array]
) -> tuple[Array, Array]:
    """Join per-frame numbers of clips: blended where two clips know them, taken from the one that does elsewhere.

    Args:
        rows: clip -> (T_clip, ...) values.
        clips: (N, 2) first and end frame of all clips.
        frames: of the video.
        confidence: clip -> (T_clip,) 0 where the clip knows nothing.

    Returns:
        (T, ...) values, zero where unknown, and (T,) confidence.
    """
    present = sorted(rows)
    shape = next(iter(rows.values())).shape[1:] if present else ()
    total, weight, best = np.zeros((frames, *shape)), np.zeros(frames), np.zeros(frames)
    for clip, ramp in zip(present, blend_weights(clips[present], frames) if present else [], strict=True):
        start, end = map(int, clips[clip])
        trust = np.clip(confidence[clip], 0, 1)
        share = ramp * (trust > 0)
        wide = share.reshape(-1, *[1] * len(shape))
        total[start:end] += wide * np.where(wide > 0, rows[clip], 0.0)
        weight[start:end] += share
        best[start:end] += share * trust
    safe = np.where(weight > 0, weight, 1.0)
    return total / safe.reshape(-1, *[1] * len(shape)), best / safe
