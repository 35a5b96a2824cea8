"""Accuracy on rendered egocentric videos, where everything is known exactly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES
from vitra_policy.transforms import rotation_angle, transform_points
from vitra_training.datasets.video import VideoReader
from vitra_training.labeling.accuracy.measure import (
    Measured,
    aligned_joint_error,
    matched_cuts,
    median,
    path_error,
    share,
)
from vitra_training.labeling.camera.motion import BackgroundTracker
from vitra_training.labeling.camera.structure import reconstruct
from vitra_training.labeling.hands.fit import fit_hand
from vitra_training.labeling.hands.frames import ClipImages
from vitra_training.labeling.hands.networks import HandNetworks
from vitra_training.labeling.hands.stage import HandsConfig, track_clip
from vitra_training.labeling.hands.tracks import HandTracks
from vitra_training.labeling.segmentation.cuts import segment
from vitra_training.labeling.truth.generate import Truth, read_truth, render_video
from vitra_training.labeling.truth.options import RenderOptions
from vitra_training.labeling.truth.session import CameraMotion, make_session

Array = NDArray[np.float64]

_CUT_TOLERANCE_S = 0.2


def cameras(
    work: Path, moving: int, still: int, seconds: float, progress: Callable[[int, int], None]
) -> list[Measured]:
    """Static or moving, path and focal length of rendered videos (hands masked where they truly are).

    Args:
        work: Folder for what is made.
        moving: Videos with a moving camera.
        still: Videos with a static one.
        seconds: Length of each.
        progress: Hears videos done and their number.
    """
    paths, focals, right, known = [], [], 0, 0
    for n in range(moving + still):
        moves = n < moving
        options = RenderOptions(
            seconds=seconds, width_px=480, height_px=360, shadows=False, sway_m=0.06 if moves else 0.0
        )
        truth, path = _video(work, f"camera{n:03d}", 1000 + n, options)
        tracker = BackgroundTracker(options.fps)
        with VideoReader(path) as video:
            for frame in range(len(video)):
                tracker.add(video.rgb(frame), _true_hands(truth, frame))
        tracks = tracker.tracks()
        right += tracks.moving == moves
        if moves:
            found = reconstruct(tracks, len(tracks.flow_px), options.fps, options.width_px, options.height_px)
            if found is not None:
                known += 1
                error, length = path_error(found.camera_from_world, truth.camera_from_world)
                paths.append(100 * error / length)
                focals.append(100 * abs(found.focal_px / truth.intrinsics[0, 0] - 1))
        progress(n + 1, moving + still)
    of = f"rendered videos of {seconds:g} s"
    return [
        share("Camera: static or moving told rightly", right, moving + still, of),
        share("Camera: path found", known, moving, f"moving {of}"),
        median("Camera: path error (ATE after similarity)", paths, "% of length", of),
        share("Camera: path error within 2 % of length", sum(p <= 2 for p in paths), moving, of),
        median("Camera: focal length off by", focals, "%", of),
        share("Camera: focal length within 3 %", sum(f <= 3 for f in focals), moving, of),
    ]


def hands(
    work: Path, videos: int, seconds: float, networks: HandNetworks, progress: Callable[[int, int], None]
) -> list[Measured]:
    """Hands in the image and in the camera (true intrinsics).

    Args:
        work: Folder for what is made.
        videos: How many.
        seconds: Length of each.
        networks: Find the landmarks.
        progress: Hears videos done and their number.
    """
    seen = visible = swapped = told = 0
    pixels: list[float] = []
    aligned: list[float] = []
    depth: list[float] = []
    turns: list[float] = []
    for n in range(videos):
        truth, path = _video(work, f"hands{n:03d}", 2000 + n, RenderOptions(seconds=seconds))
        with VideoReader(path) as video:
            clip = ClipImages((video.rgb(k) for k in range(len(video))), len(video))
        found = track_clip(clip, networks, HandsConfig(), truth.fps)
        for row, side in enumerate(SIDES):
            there = truth.hands[side].visible
            visible += int(there.sum())
            both = np.flatnonzero(found.seen[row] & there)
            seen += len(both)
            wrong = _swapped(found, truth, row)
            swapped, told = swapped + int(wrong.sum()), told + len(wrong)
            if len(both) == 0:
                continue
            hand = truth.hands[side]
            size = np.ptp(hand.keypoints_px[both], axis=1).max(axis=1)
            off = np.linalg.norm(found.landmarks_px[row, both] - hand.keypoints_px[both], axis=-1).mean(axis=1)
            pixels += (100 * off / size).tolist()
            fit = fit_hand(
                found.landmarks_px[row, both].astype(np.float64), found.shape_m[row, both].astype(np.float64),
                found.sigma_px[row, both], truth.intrinsics, side,
            )  # fmt: skip
            true = transform_points(truth.camera_from_world[both], hand.keypoints_m[both])
            aligned += [1e3 * aligned_joint_error(a, b) for a, b in zip(fit.keypoints_m, true, strict=True)]
            depth += (fit.camera_from_wrist[:, 2, 3] / true[:, 0, 2]).tolist()
            R = truth.camera_from_world[both, :3, :3] @ hand.world_from_wrist[both, :3, :3]
            turns += np.degrees(rotation_angle(np.swapaxes(R, 1, 2) @ fit.camera_from_wrist[:, :3, :3])).tolist()
        progress(n + 1, videos)
    of = f"hand frames of {videos} rendered videos (frames of one video are not independent)"
    return [
        share("Hands: seen where at least half of the hand is in the image", seen, visible, of),
        share("Hands: left and right exchanged", swapped, told, of),
        median("Hands: 2D error", pixels, "% of hand size", of),
        median("Hands: joints after alignment (PA-MPJPE)", aligned, "mm", of),
        median("Hands: distance found over true", depth, "times", of),
        median("Hands: wrist rotation off by", turns, "degrees", of),
    ]


def segmentation(sessions: int, noise_m: float) -> list[Measured]:
    """Cuts of true hands with noise."""
    hits = found = true = 0
    for seed in range(sessions):
        rng = np.random.default_rng([seed, 9])
        session = make_session(900, 30.0, SIDES, CameraMotion(), rng)
        for hand in session.hands.values():
            noisy = hand.world_from_wrist[:, :3, 3] + rng.normal(0, noise_m, (900, 3))
            wanted = [leg.end for leg in hand.legs if leg.end < 885]
            got = [cut for cut in segment(noisy, 30.0).cuts if cut < 885]
            hits += matched_cuts(got, wanted, round(_CUT_TOLERANCE_S * 30))
            found, true = found + len(got), true + len(wanted)
    of = f"cuts of {2 * sessions} made-up hands, {1e3 * noise_m:g} mm noise, within {_CUT_TOLERANCE_S} s"
    return [share("Segmentation of true hands: recall", hits, true, of),
            share("Segmentation of true hands: precision", hits, found, of)]  # fmt: skip


def _video(work: Path, name: str, seed: int, options: RenderOptions) -> tuple[Truth, Path]:
    path = work / f"{name}.mp4"
    if not path.with_suffix(".truth").is_dir():
        render_video(work, name, seed, options)
    return read_truth(path), path


def _true_hands(truth: Truth, frame: int) -> list[Array]:
    points = [hand.keypoints_px[frame] for hand in truth.hands.values()]
    return [p for p in points if np.isfinite(p).all()]


def _swapped(found: HandTracks, truth: Truth, row: int) -> NDArray[np.bool_]:
    """Of the frames with a hand on this side: whether it lies nearer to the other true hand."""
    mine, other = (truth.hands[SIDES[k]].keypoints_px for k in (row, 1 - row))
    there = np.flatnonzero(found.source[row] > 0)
    points = found.landmarks_px[row, there]
    away = [np.nan_to_num(np.linalg.norm(points - t[there], axis=-1).mean(axis=1), nan=1e9) for t in (mine, other)]
    return np.asarray(away[1] < away[0])
