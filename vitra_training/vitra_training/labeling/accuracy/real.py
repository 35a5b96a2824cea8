"""Accuracy on real images with truth: single hands, and the published episode of VITRA-1M."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES
from vitra_training.datasets.camera import camera_for_video
from vitra_training.datasets.episode import HumanEpisode
from vitra_training.datasets.sources import open_source
from vitra_training.datasets.video import Image, VideoReader
from vitra_training.labeling.accuracy.measure import Measured, aligned_joint_error, median, path_error, share
from vitra_training.labeling.camera.motion import BackgroundTracker
from vitra_training.labeling.camera.structure import reconstruct
from vitra_training.labeling.hands.fit import fit_hand
from vitra_training.labeling.hands.frames import ClipImages
from vitra_training.labeling.hands.networks import HandNetworks
from vitra_training.labeling.hands.stage import HandsConfig, track_clip

Array = NDArray[np.float64]


def single_images(folder: Path, name: str, networks: HandNetworks) -> list[Measured]:
    """2D landmarks on photographs with COCO key points (wrist, thumb .. little finger).

    Args:
        folder: Of the photographs.
        name: Of the data set.
        networks: Find the landmarks.
    """
    content = json.loads(next(folder.glob("*.json")).read_text())
    files = {image["id"]: folder / image["file_name"] for image in content["images"]}
    errors, near, points, found = [], 0, 0, 0
    for annotation in content["annotations"]:
        path = files[annotation["image_id"]]
        truth = np.array(annotation["keypoints"], dtype=np.float64).reshape(21, 3)
        bgr = cv2.imread(str(path))
        if bgr is None:
            continue
        hand = _one_hand(np.ascontiguousarray(bgr[..., ::-1]), networks)
        if hand is None:
            errors.append(np.nan)
            continue
        found += 1
        visible = truth[:, 2] > 0
        size = float(max(np.ptp(truth[visible, :2], axis=0)))
        distance = np.linalg.norm(hand - truth[:, :2], axis=1)[visible] / size
        errors.append(float(distance.mean()))
        near += int((distance < 0.2).sum())
        points += int(visible.sum())
    n = len(errors)
    return [
        share(f"{name}: hand found", found, n, "images, labels of the data set"),
        median(f"{name}: 2D error", 100 * np.array(errors), "% of hand size", "images with a hand found"),
        share(f"{name}: landmarks within 0.2 hand sizes", near, points, "landmarks of hands found"),
    ]


def _one_hand(image: Image, networks: HandNetworks) -> Array | None:
    """The most certain hand of a photograph, with a border around it for hands that fill it."""
    border = max(image.shape[:2]) // 4
    wide: Image = np.asarray(
        cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_CONSTANT), dtype=np.uint8
    )
    best = None
    for palm in networks.palms(wide, 0.25)[:3]:
        hand = networks.landmarks(wide, networks.landmarks(wide, palm.region).region)
        if hand.presence >= 0.4 and (best is None or hand.presence > best.presence):
            best = hand
    return None if best is None else best.points_px - border


def published_episode(folder: Path, networks: HandNetworks) -> list[Measured]:
    """Camera and hand against the published labels of one Ego4D episode (themselves estimates of other tools)."""
    recording = open_source(folder).load(0)
    episode = recording.episode
    assert isinstance(episode, HumanEpisode)
    with VideoReader(recording.video.path) as video:
        images = [video.rgb(int(n)) for n in recording.video.frames]
        width, height, fps = video.width, video.height, video.fps
    camera = camera_for_video(episode.intrinsics, width, height)
    # The file is stretched: images are brought to square pixels, as the pipeline assumes them.
    stretch = float(camera.intrinsics[0, 0] / camera.intrinsics[1, 1])
    square = [np.asarray(cv2.resize(p, (width, round(height * stretch))), dtype=np.uint8) for p in images]
    K = camera.intrinsics.copy()
    K[1] *= stretch
    hands = track_clip(ClipImages(square, len(square)), networks, HandsConfig(), fps)
    tracker = BackgroundTracker(fps)
    for frame, image in enumerate(square):
        seen = [hands.landmarks_px[r, frame].astype(np.float64) for r in range(2) if hands.source[r, frame]]
        tracker.add(image, seen)
    of = "episode (25 frames), published labels"
    found = reconstruct(tracker.tracks(), len(square), fps, width, round(height * stretch))
    rows: list[Measured] = []
    if found is not None:
        error, length = path_error(found.camera_from_world, episode.extrinsics)
        rows.append(
            median("Ego4D example: camera path error (ATE)", [100 * error], "cm", f"{of}, path {100 * length:.1f} cm")
        )
        rows.append(median("Ego4D example: focal length off by", [100 * abs(found.focal_px / K[0, 0] - 1)], "%", of))
    else:
        rows.append(Measured("Ego4D example: camera path", float("nan"), float("nan"), float("nan"), 0, "cm", of))
    row = SIDES.index(episode.anno_type)
    true = np.asarray(episode.hands[episode.anno_type].joints_camspace, dtype=np.float64)
    kept = np.asarray(episode.hands[episode.anno_type].kept_frames) > 0
    seen_frames = np.flatnonzero(hands.seen[row] & kept)
    rows.append(share("Ego4D example: frames with the hand seen", len(seen_frames), int(kept.sum()), of))
    if len(seen_frames):
        px = hands.landmarks_px[row, seen_frames].astype(np.float64)
        fit = fit_hand(px, hands.shape_m[row, seen_frames].astype(np.float64), hands.sigma_px[row, seen_frames], K,
                       episode.anno_type)  # fmt: skip
        projected = true[seen_frames] @ K.T
        truth_px = projected[..., :2] / projected[..., 2:]
        rows.append(median("Ego4D example: 2D distance", np.linalg.norm(px - truth_px, axis=-1).mean(axis=1), "px", of))
        pa = [1e3 * aligned_joint_error(a, b) for a, b in zip(fit.keypoints_m, true[seen_frames], strict=True)]
        rows.append(median("Ego4D example: joints after alignment (PA-MPJPE)", pa, "mm", of))
        wrist = np.linalg.norm(fit.camera_from_wrist[:, :3, 3] - true[seen_frames, 0], axis=1)
        rows.append(median("Ego4D example: wrist in the camera", 100 * wrist, "cm", of))
        ratio = fit.camera_from_wrist[:, 2, 3] / true[seen_frames, 0, 2]
        rows.append(median("Ego4D example: wrist distance, found over labelled", ratio, "times", of))
    return rows
