"""Camera poses, focal length and points of a moving camera: point tracks adjusted together, by COLMAP's means."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from vitra_policy.transforms import make_pose
from vitra_training.labeling.camera.adjust import Adjusted, Seen, adjust, seen_in
from vitra_training.labeling.camera.epipolar import fundamental
from vitra_training.labeling.camera.flat_start import flat_start
from vitra_training.labeling.camera.motion import PointTracks

Array = NDArray[np.float64]

_STEP_S, _LEAST_FRAMES, _MOST_FRAMES = 0.1, 25, 150
_GUESSES = (0.65, 0.9)
"""Focal lengths in image widths: 75 and 58 degrees; those of head cameras (50 to 110) are reached from there."""
_UNCERTAIN = 1.5
"""A misfit above which another start is tried; half of it is what the tracker's errors and moving things leave."""
_LEAST_HELD = 10
_LEAST_LINKS = 80
"""Points that a frame should share with the next but one: what is seen in fewer than three gives nothing."""
_KEYFRAME_SHARE = 0.02
_LONGEST_KEYFRAME_S = 0.5
_NEIGHBOURS = 10
_LEAST_MATCHES = 15
_LEAST_PARALLAX = 0.02
"""A camera that only turns gives a structure, too, out of noise: its centres spread less, in shares of the depth."""


@dataclass(frozen=True, slots=True)
class Structure:
    """A reconstruction of a clip, up to its size."""

    camera_from_world: Array
    """(T, 4, 4); interpolated where `registered` is False."""
    registered: NDArray[np.bool_]
    """(T,) whether the frame's own points gave its pose."""
    focal_px: float
    focal_sigma_px: float
    """From the adjustment, with each track's errors taken together; infinite where the focal length was given."""
    points_m: Array
    """(P, 3) in the world, arbitrary size."""
    point_ids: NDArray[np.int32]
    """(P,) their numbers in the tracks."""
    rms_px: float
    """Reprojection error of what fits."""


def reconstruct(
    tracks: PointTracks, frames: int, fps: float, width_px: int, height_px: int, focal_px: float | None = None
) -> Structure | None:
    """The camera's path and its focal length; None where the points do not give one (little motion, few points).

    Args:
        tracks: of the background.
        frames: of the clip.
        fps: frames per second.
        width_px: of the images.
        height_px: of the images.
        focal_px: where it is known; otherwise it is estimated, from several guesses.
    """
    seen = seen_in(tracks, adjusted_frames(tracks, frames, fps), (width_px, height_px))
    if len(seen.frames) < 3 or len(seen.ids) < _LEAST_MATCHES:
        return None
    best = _from_flat(seen, focal_px)
    if best is None or best.misfit > _UNCERTAIN:
        other = _from_mapper(tracks, seen, frames, fps, focal_px)
        best = min((way for way in (best, other) if way is not None), key=lambda way: way.misfit, default=None)
    if best is None:
        return None
    pairs = zip(seen.frames.tolist(), best.camera_from_world, best.held, strict=True)
    known = {frame: pose for frame, pose, held in pairs if held >= _LEAST_HELD}
    if len(known) < max(3, 0.5 * len(seen.frames)) or len(best.points_m) < _LEAST_MATCHES:
        return None
    if _parallax(known, best.points_m) < _LEAST_PARALLAX:
        return None
    K = np.array([[best.focal_px, 0, width_px / 2], [0, best.focal_px, height_px / 2], [0, 0, 1]])
    poses, registered = _all_frames(tracks, frames, known, best.point_ids, best.points_m, K)
    return Structure(poses, registered, best.focal_px, best.focal_sigma_px, best.points_m, best.point_ids, best.rms_px)


def adjusted_frames(tracks: PointTracks, frames: int, fps: float) -> NDArray[np.int64]:
    """Frames (k,) that are adjusted together: ten a second, more where points are soon lost and in short clips.

    Args:
        tracks: of the background.
        frames: of the clip.
        fps: frames per second.
    """
    longest = max(1, min(round(_STEP_S * fps), frames // _LEAST_FRAMES), -(-frames // _MOST_FRAMES))
    ids = [tracks.points[_row_of_id(tracks, frame)] for frame in range(frames)]
    chosen, frame = [], 0
    while frame < frames:
        step = longest
        while step > 1 and frame + 2 * step < frames and _shared(ids[frame], ids[frame + 2 * step]) < _LEAST_LINKS:
            step -= 1
        if len(ids[frame]) >= _LEAST_HELD:
            chosen.append(frame)
        frame += step if len(ids[frame]) else 1
    return np.array(chosen, dtype=np.int64)


def _shared(first: NDArray[np.int32], second: NDArray[np.int32]) -> int:
    return len(np.intersect1d(first, second, assume_unique=True))


def _from_flat(seen: Seen, focal_px: float | None) -> Adjusted | None:
    """From the best of several guesses of the focal length."""
    guesses = [focal_px] if focal_px else [share * max(seen.size_px) for share in _GUESSES]
    starts = [(*flat_start(seen, guess), guess) for guess in guesses]
    poses, unfit, guess = min(starts, key=lambda start: start[1])
    return adjust(seen, poses, guess, focal_px is not None) if np.isfinite(unfit) else None


def _from_mapper(tracks: PointTracks, seen: Seen, frames: int, fps: float, focal_px: float | None) -> Adjusted | None:
    """From COLMAP's mapper, for paths that are too long to begin flat."""
    width, height = seen.size_px
    keys = key_frames(tracks, frames, fps, width)
    if len(keys) < 3:
        return None
    with tempfile.TemporaryDirectory() as folder:
        model = _map(Path(folder), tracks, keys, width, height, focal_px)
    if model is None:
        return None
    reconstruction, key_of_image = model
    known = {
        key_of_image[i]: _matrix(image.cam_from_world()) for i, image in reconstruction.images.items() if image.has_pose
    }
    focal = float(next(iter(reconstruction.cameras.values())).params[0])
    return adjust(seen, between(known, frames)[seen.frames], focal, focal_px is not None)


def key_frames(tracks: PointTracks, frames: int, fps: float, width_px: int) -> list[int]:
    """Frames between which the background moved by some pixels, or half a second passed.

    Args:
        tracks: Points followed.
        frames: Length of the clip.
        fps: Its rate.
        width_px: Of the images; the motion is a share of it.
    """
    keys, travelled = [], np.inf
    last = -np.inf
    usable = set(tracks.frames.tolist())
    for frame in range(frames):
        flow = tracks.flow_px[frame]
        travelled += 0.0 if np.isnan(flow) else float(flow)
        if frame in usable and (travelled >= _KEYFRAME_SHARE * width_px or frame - last >= _LONGEST_KEYFRAME_S * fps):
            keys.append(frame)
            travelled, last = 0.0, frame
    return keys


def _map(
    folder: Path, tracks: PointTracks, keys: list[int], width: int, height: int, focal: float | None
) -> tuple[Any, dict[int, int]] | None:
    """COLMAP's largest model and the key frame of each of its images."""
    import pycolmap

    pycolmap.logging.minloglevel = pycolmap.logging.ERROR.value if hasattr(pycolmap.logging.ERROR, "value") else 2
    database = pycolmap.Database.open(str(folder / "tracks.db"))
    guess = focal or _GUESSES[1] * width
    camera = pycolmap.Camera(
        model="SIMPLE_PINHOLE", width=width, height=height, params=[guess, width / 2, height / 2], camera_id=1,
        has_prior_focal_length=focal is not None,
    )  # fmt: skip
    database.write_camera(camera, use_camera_id=True)
    rig = pycolmap.Rig(rig_id=1)
    rig.add_ref_sensor(camera.sensor_id)
    database.write_rig(rig, use_rig_id=True)
    rows = {key: _row_of_id(tracks, key) for key in keys}
    key_of_image = {}
    for number, key in enumerate(keys, start=1):
        image = pycolmap.Image(name=f"{key:06d}", camera_id=1, image_id=number)
        database.write_image(image, use_image_id=True)
        frame = pycolmap.Frame(frame_id=number, rig_id=1)
        frame.add_data_id(image.data_id)
        database.write_frame(frame, use_frame_id=True)
        database.write_keypoints(number, tracks.pixels[rows[key]].astype(np.float32))
        key_of_image[number] = key
    pairs = 0
    for a in range(len(keys)):
        for b in range(a + 1, min(a + 1 + _NEIGHBOURS, len(keys))):
            _, ia, ib = np.intersect1d(tracks.points[rows[keys[a]]], tracks.points[rows[keys[b]]], return_indices=True)
            if len(ia) < _LEAST_MATCHES:
                break
            matches = np.stack([ia, ib], axis=1).astype(np.uint32)
            pa, pb = tracks.pixels[rows[keys[a]]][ia], tracks.pixels[rows[keys[b]]][ib]
            found = fundamental(pa, pb, 0.999, 500)
            if found is None or found[1].sum() < _LEAST_MATCHES:
                continue
            F, fits = found
            geometry = pycolmap.TwoViewGeometry()
            known = focal is not None
            kind = pycolmap.TwoViewGeometryConfiguration
            geometry.config = int(kind.CALIBRATED if known else kind.UNCALIBRATED)
            geometry.F = F
            if known:
                K = np.array([[guess, 0, width / 2], [0, guess, height / 2], [0, 0, 1]])
                geometry.E = K.T @ F @ K
            geometry.inlier_matches = matches[fits]
            database.write_matches(a + 1, b + 1, matches)
            database.write_two_view_geometry(a + 1, b + 1, geometry)
            pairs += 1
    database.close()
    if pairs < 2:
        return None
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads, options.min_num_matches, options.min_model_size = 1, _LEAST_MATCHES, 3
    options.extract_colors, options.multiple_models = False, False
    options.ba_refine_focal_length = focal is None
    options.ba_refine_extra_params = options.ba_refine_principal_point = False
    options.ba_global_max_num_iterations, options.ba_global_max_refinements = 25, 2
    options.ba_global_frames_ratio = options.ba_global_points_ratio = 1.4
    options.ba_local_max_num_iterations, options.random_seed = 12, 1
    options.mapper.init_min_num_inliers, options.mapper.abs_pose_min_num_inliers = 25, 12
    options.mapper.init_min_tri_angle, options.mapper.filter_min_tri_angle = 2.0, 0.3
    options.mapper.init_max_forward_motion = 0.99
    options.triangulation.min_angle = 0.5
    models = pycolmap.incremental_mapping(str(folder / "tracks.db"), str(folder), str(folder), options)
    if not models:
        return None
    best = max(models.values(), key=lambda model: model.num_reg_images())
    if best.num_reg_images() < max(3, 0.5 * len(keys)):
        return None
    return best, key_of_image


def _all_frames(
    tracks: PointTracks, frames: int, known: dict[int, Array], ids: NDArray[np.int32], world: Array, K: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """Poses of all frames: each by its own points, starting from what lies between the key frames."""
    poses = between(known, frames)
    registered = np.zeros(frames, dtype=bool)
    place = np.full(int(max(ids.max(initial=0), tracks.points.max(initial=0))) + 1, -1)
    place[ids] = np.arange(len(ids))
    order = np.argsort(tracks.frames, kind="stable")
    bounds = np.searchsorted(tracks.frames[order], np.arange(frames + 1))
    refined = dict(known)
    for frame in range(frames):
        if frame in known:
            registered[frame] = True
            continue
        rows = order[bounds[frame] : bounds[frame + 1]]
        number = place[tracks.points[rows]]
        ok = number >= 0
        if ok.sum() < 10:
            continue
        points, pixels = world[number[ok]], tracks.pixels[rows[ok]].astype(np.float64)
        start = poses[frame]
        rvec, tvec = cv2.Rodrigues(start[:3, :3])[0], start[:3, 3].reshape(3, 1).copy()
        for limit in (6.0, 3.0):  # what moves by itself is left out
            seen = cv2.projectPoints(points, rvec, tvec, K, None)[0][:, 0]
            error = np.linalg.norm(seen - pixels, axis=1)
            near = error < max(limit, 3 * np.median(error))
            if near.sum() < 8:
                break
            rvec, tvec = cv2.solvePnPRefineLM(points[near], pixels[near], K, None, rvec, tvec)
        else:
            if np.median(np.linalg.norm(cv2.projectPoints(points, rvec, tvec, K, None)[0][:, 0] - pixels, axis=1)) < 3:
                refined[frame], registered[frame] = make_pose(tvec[:, 0], cv2.Rodrigues(rvec)[0]), True
    return between(refined, frames), registered


def between(known: dict[int, Array], frames: int) -> Array:
    """(T, 4, 4) camera_from_world by interpolation of centres and rotations; held at both ends."""
    at = np.array(sorted(known))
    world_from_camera = np.linalg.inv(np.stack([known[frame] for frame in at]))
    time = np.clip(np.arange(frames), at[0], at[-1])
    if len(at) == 1:
        return np.asarray(np.repeat(known[int(at[0])][None], frames, axis=0))
    R = Slerp(at, Rotation.from_matrix(world_from_camera[:, :3, :3]))(time).as_matrix()
    centre = np.stack([np.interp(time, at, world_from_camera[:, k, 3]) for k in range(3)], axis=1)
    return np.asarray(np.linalg.inv(make_pose(centre, R)))


def _parallax(known: dict[int, Array], world: Array) -> float:
    """How far the camera gets from its mean place, over the median distance of the points."""
    centres = np.linalg.inv(np.stack(list(known.values())))[:, :3, 3]
    middle = centres.mean(axis=0)
    away = float(np.linalg.norm(centres - middle, axis=1).max())
    return away / max(float(np.median(np.linalg.norm(world - middle, axis=1))), 1e-12)


def _row_of_id(tracks: PointTracks, frame: int) -> NDArray[np.int64]:
    return np.flatnonzero(tracks.frames == frame)


def _matrix(pose: Any) -> Array:
    return np.vstack([pose.matrix(), [0.0, 0.0, 0.0, 1.0]])
