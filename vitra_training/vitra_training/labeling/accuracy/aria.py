"""Accuracy on frames of Project Aria with factory calibration, motion-captured poses and sensor depth."""

from __future__ import annotations

import csv
import itertools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_policy.transforms import invert_pose, make_pose, matrix_from_quaternion, rotation_angle
from vitra_training.datasets.video import Image
from vitra_training.labeling.accuracy.measure import Measured, median
from vitra_training.labeling.camera.flow import followed
from vitra_training.labeling.errors import MissingModelError
from vitra_training.labeling.ingest.lens import Lens, LensKind, Undistorter

Array = NDArray[np.float64]

_RGB, _DEPTH = "214-1", "345-1"


@dataclass(frozen=True, slots=True)
class AriaFrames:
    """Frames of the colour camera."""

    lens: Lens
    images: tuple[Image, ...]
    depth_m: tuple[NDArray[np.float32], ...]
    """Of the first frames, in the lens' own pixels; 0 where unknown."""
    world_from_camera: Array
    """(N, 4, 4)."""
    theirs: Array
    """(M, 2) pixels of `rays` by Aria's own library."""
    rays: Array


def read_aria(folder: Path) -> AriaFrames:
    """Read `video.vrs`, `depth_images.vrs` and `aria_trajectory.csv` of an Aria Digital Twin sample.

    Raises:
        MissingModelError: Aria's library is not installed.
    """
    try:
        from projectaria_tools.core import data_provider
        from projectaria_tools.core.stream_id import StreamId
    except ImportError:
        raise MissingModelError("Reading Aria's recordings", "the package projectaria-tools",
                                "Install it: pip install projectaria-tools.", "Apache-2.0") from None  # fmt: skip
    video = data_provider.create_vrs_data_provider(str(folder / "video.vrs"))
    depth = data_provider.create_vrs_data_provider(str(folder / "depth_images.vrs"))
    camera = video.get_device_calibration().get_camera_calib("camera-rgb")
    width, height = map(int, camera.get_image_size())
    get = getattr(camera, "get_projection_params", None) or camera.projection_params
    lens = Lens(LensKind.FISHEYE624, width, height, tuple(map(float, get())), "factory")
    rgb, metres = StreamId(_RGB), StreamId(_DEPTH)
    count = video.get_num_data(rgb)
    read = [video.get_image_data_by_index(rgb, n) for n in range(count)]
    poses = _poses(folder / "aria_trajectory.csv", [record.capture_timestamp_ns for _, record in read])
    device_from_camera = camera.get_transform_device_camera().to_matrix()
    rng = np.random.default_rng(3)
    rays = np.concatenate([rng.uniform(-0.9, 0.9, (400, 2)), np.ones((400, 1))], axis=1)
    return AriaFrames(
        lens,
        tuple(np.ascontiguousarray(data.to_numpy_array()) for data, _ in read),
        tuple(
            depth.get_image_data_by_index(metres, n)[0].to_numpy_array().astype(np.float32) / 1e3
            for n in range(depth.get_num_data(metres))
        ),
        poses @ device_from_camera,
        np.stack([camera.project_no_checks(ray) for ray in rays]),
        rays,
    )


def aria_rows(folder: Path) -> list[Measured]:
    """Undistortion, camera pose between frames, and the scale that depth gives it."""
    data = read_aria(folder)
    of = "Aria frames: factory calibration, motion capture, sensor depth"
    away = np.linalg.norm(data.lens.project(data.rays) - data.theirs, axis=1)
    rows = [median("Aria: undistortion, away from Aria's own", away, "px", "viewing directions, of 1408 px")]
    straight = Undistorter(data.lens, data.lens.width_px, data.lens.height_px)
    flat = [np.asarray(cv2.cvtColor(straight(image), cv2.COLOR_RGB2GRAY), np.uint8) for image in data.images]
    K = np.array([[straight.focal_px, 0, data.lens.width_px / 2], [0, straight.focal_px, data.lens.height_px / 2],
                  [0, 0, 1]])  # fmt: skip
    turns, shifts, ratios = [], [], []
    for a, b in itertools.combinations(range(len(flat)), 2):
        if a >= len(data.depth_m):
            continue
        start, end = _followed(flat[a], flat[b])
        z = _depth_at(start, straight, data.depth_m[a])
        start, end, z = start[z > 0], end[z > 0], z[z > 0]
        rays = np.concatenate([(start - K[:2, 2]) / K[0, 0], np.ones((len(start), 1))], axis=1)
        done, rvec, tvec, fits = cv2.solvePnPRansac(rays * z[:, None], end, K, None, reprojectionError=1.0,
                                                    iterationsCount=500)  # fmt: skip
        if not done or fits is None or len(fits) < 20:
            continue
        inliers = fits.ravel()
        rvec, tvec = cv2.solvePnPRefineLM((rays * z[:, None])[inliers], end[inliers], K, None, rvec, tvec)
        found = make_pose(tvec[:, 0], cv2.Rodrigues(rvec)[0])
        true = invert_pose(data.world_from_camera[b]) @ data.world_from_camera[a]
        turns.append(float(np.degrees(rotation_angle(true[:3, :3].T @ found[:3, :3]))))
        shifts.append(float(1e3 * np.linalg.norm(found[:3, 3] - true[:3, 3])))
        ratios.append(float(np.linalg.norm(found[:3, 3]) / np.linalg.norm(true[:3, 3])))
    rows.append(median("Aria: camera turn between two frames off by", turns, "degrees", f"pairs of {of}"))
    rows.append(median("Aria: camera shift between two frames off by", shifts, "mm", f"pairs of {of}"))
    rows.append(
        median("Aria: metres by sensor depth, length of that shift over true", ratios, "times", f"pairs of {of}")
    )
    return rows


def _poses(path: Path, stamps_ns: list[int]) -> Array:
    """(N, 4, 4) world_from_device nearest in time."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    times = np.array([int(row["tracking_timestamp_us"]) * 1000 for row in rows])
    chosen = [rows[int(np.abs(times - stamp).argmin())] for stamp in stamps_ns]
    shift = np.array([[float(row[f"t{k}_world_device"]) for k in "xyz"] for row in chosen])
    turn = np.array([[float(row[f"q{k}_world_device"]) for k in "xyzw"] for row in chosen])
    return make_pose(shift, matrix_from_quaternion(turn))


def _followed(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> tuple[Array, Array]:
    """Corners of one image and where they are in another; pixel centres at halves."""
    corners = np.asarray(cv2.goodFeaturesToTrack(a, 1500, 0.005, 10), dtype=np.float32)
    end, good = followed(a, b, corners, window_px=21, tolerance_px=0.3)
    return corners[good, 0].astype(np.float64) + 0.5, end[good, 0].astype(np.float64) + 0.5


def _depth_at(points: Array, straight: Undistorter, depth_m: NDArray[np.float32]) -> Array:
    """Depth of points of the straight image; 0 at edges of things, where it jumps."""
    column, row = np.floor(points).astype(int).T
    u, v = (np.rint(grid[row, column]).astype(int) for grid in straight.maps)
    low, high = cv2.erode(depth_m, np.ones((5, 5))), cv2.dilate(depth_m, np.ones((5, 5)))
    inside = (u >= 0) & (v >= 0) & (u < depth_m.shape[1]) & (v < depth_m.shape[0])
    u, v = np.where(inside, u, 0), np.where(inside, v, 0)
    smooth = inside & (low[v, u] > 0) & (high[v, u] - low[v, u] < 0.05 * high[v, u])
    return np.where(smooth, depth_m[v, u], 0.0).astype(np.float64)
