"""What smoothing makes of motion-captured hand paths (HOT3D) under the tracker's own noise model."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_policy.transforms import invert_pose, make_pose, matrix_from_quaternion, transform_points
from vitra_training.labeling.accuracy.measure import Measured, median, similarity
from vitra_training.labeling.hands.tracks import SIGMA_SHARE
from vitra_training.labeling.world.smooth import smooth_path
from vitra_training.labeling.world.stage import WorldConfig, wrist_information

Array = NDArray[np.float64]

_HAND_M = 0.19
_SAME_S = 1e-3


def hot3d_paths(folder: Path) -> tuple[float, dict[int, Array], Array]:
    """Steps per second, wrist paths (T, 3) in the world by hand, and world_from_headset (T, 4, 4).

    Stamps of the sample come in pairs 0.1 ms apart; one of each is kept.
    """
    lines = [json.loads(line) for line in (folder / "mano_hand_pose_trajectory.jsonl").read_text().splitlines()]
    with (folder / "headset_trajectory.csv").open() as file:
        heads = {int(row["timestamp[ns]"]): row for row in csv.DictReader(file)}
    kept: list[dict[str, Any]] = []
    for line in lines:
        new = not kept or (line["timestamp_ns"] - kept[-1]["timestamp_ns"]) / 1e9 > _SAME_S
        if new and line["timestamp_ns"] in heads and len(line["hand_poses"]) == 2:
            kept.append(line)
    stamps = np.array([line["timestamp_ns"] for line in kept], dtype=np.int64)
    paths = {
        hand: np.array([line["hand_poses"][str(hand)]["wrist_xform"]["t_xyz"] for line in kept]) for hand in (0, 1)
    }
    rows = [heads[int(stamp)] for stamp in stamps]
    shift = np.array([[float(row[f"t_wo_{k}[m]"]) for k in "xyz"] for row in rows])
    turn = np.array([[float(row[f"q_wo_{k}"]) for k in "xyzw"] for row in rows])
    return 1e9 / float(np.median(np.diff(stamps))), paths, make_pose(shift, matrix_from_quaternion(turn))


def hot3d_rows(folder: Path, draws: int = 20) -> list[Measured]:
    """Wrist error before and after smoothing, and after alignment of the whole path."""
    fps, paths, world_from_head = hot3d_paths(folder)
    config = WorldConfig()
    noisy_mm, smooth_mm, aligned_mm = [], [], []
    rng = np.random.default_rng(11)
    for _ in range(draws):
        for path in paths.values():
            noisy, smooth = noisy_and_smooth(path, looking_at(world_from_head, path), fps, config, rng)
            noisy_mm.append(1e3 * float(np.median(np.linalg.norm(noisy - path, axis=1))))
            smooth_mm.append(1e3 * float(np.median(np.linalg.norm(smooth - path, axis=1))))
            size, R, shift = similarity(smooth, path)
            aligned_mm.append(1e3 * float(np.median(np.linalg.norm(size * smooth @ R.T + shift - path, axis=1))))
    of = f"draws of the tracker's noise on 2 HOT3D wrist paths of {len(world_from_head)} frames"
    return [
        median("HOT3D paths: wrist with the tracker's noise", noisy_mm, "mm", of),
        median("HOT3D paths: wrist after smoothing", smooth_mm, "mm", of),
        median("HOT3D paths: wrist after smoothing and alignment", aligned_mm, "mm", of),
    ]


def looking_at(world_from_head: Array, path_m: Array) -> Array:
    """(T, 4, 4) world_from_camera of cameras in the head's places that look towards the middle of a path (T, 3)."""
    z = path_m.mean(axis=0) - world_from_head[:, :3, 3].mean(axis=0)
    z /= np.linalg.norm(z)
    x = np.cross(z, np.eye(3)[int(np.abs(z).argmin())])
    x /= np.linalg.norm(x)
    return make_pose(world_from_head[:, :3, 3], np.stack([x, np.cross(z, x), z], axis=1))


def noisy_and_smooth(
    path_m: Array, world_from_camera: Array, fps: float, config: WorldConfig, rng: np.random.Generator
) -> tuple[Array, Array]:
    """A wrist path (T, 3) as the tracker would see it, and what the world stage makes of that.

    Args:
        path_m: in the world.
        world_from_camera: (T, 4, 4).
        fps: frames per second.
        config: of the world stage.
        rng: source of noise.
    """
    seen = transform_points(invert_pose(world_from_camera), path_m[:, None])[:, 0]
    ray = seen / np.linalg.norm(seen, axis=1, keepdims=True)
    lateral = np.full(len(path_m), SIGMA_SHARE * _HAND_M)
    across = rng.normal(0, 1, seen.shape) * lateral[:, None]
    across -= (across * ray).sum(axis=1, keepdims=True) * ray
    noisy = seen + across + ray * seen[:, 2:] * rng.normal(0, config.depth_share, (len(seen), 1))
    information = wrist_information(noisy, lateral, world_from_camera[:, :3, :3], config.depth_share)
    world = transform_points(world_from_camera, noisy[:, None])[:, 0]
    return world, smooth_path(world, information, 1 / fps, config.acceleration_m_s2)[0]
