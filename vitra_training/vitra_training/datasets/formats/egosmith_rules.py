"""What EgoSteer's loader demands of a sample; what breaks a rule is dropped there without a word in the result."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WIDTHS = (116, 136)
"""Numbers of a sample with the head camera, and with the chest camera too."""
_FOCAL_PX = 10_000.0
_PLACEHOLDERS = {"none", "unknown", "n/a", "null", "todo"}
_ORTHOGONAL, _DETERMINANT, _LAST_ROW = 0.1, 0.1, 1e-3
_STEP_M = 2.5
_PRESENCE = (0, 1, 2, 3)
"""Left hand 1, right hand 2."""
_MEAN, _SPREAD = (5.0, 250.0), 3.0


def sample_problems(row: NDArray[np.floating[Any]], meta: Mapping[str, Any], image: NDArray[np.uint8]) -> list[str]:
    """Rules that a frame breaks: numbers, camera, words and image (EgoSteer's data.md, 2026-06).

    Args:
        row: The frame's numbers (116,).
        meta: Its JSON.
        image: (H, W, 3).
    """
    if row.ndim != 1 or len(row) not in WIDTHS or row.dtype != np.float32:
        return [f"lowdim is {row.dtype} {row.shape}, not float32 of {WIDTHS[0]} or {WIDTHS[1]}"]
    if not np.isfinite(row).all():
        return ["lowdim has numbers that are not finite"]
    numbers, found = row.astype(np.float64), []
    for name, start in (("state", 6), ("action", 54)):
        first, second = numbers[start : start + 12].reshape(2, 2, 3).transpose(1, 0, 2)
        error = max(
            float(np.abs((first * second).sum(axis=1)).max()),
            float(np.abs(np.linalg.norm(np.stack([first, second]), axis=-1) - 1).max()),
        )
        if error > _ORTHOGONAL:
            found.append(f"rot6d of the {name} are {error:.2f} away from rotations")
    extrinsic = numbers[96:112].reshape(4, 4)
    if abs(np.linalg.det(extrinsic[:3, :3]) - 1) > _DETERMINANT:
        found.append("the extrinsic is no rotation and translation")
    if np.abs(extrinsic[3] - [0, 0, 0, 1]).max() > _LAST_ROW:
        found.append("the extrinsic's last row is not 0 0 0 1")
    fx, fy = numbers[112:114]
    if not (0 < fx < _FOCAL_PX and 0 < fy < _FOCAL_PX):
        found.append(f"focal lengths {fx:.4g}, {fy:.4g} lie outside 0 .. {_FOCAL_PX:g}")
    state, following = numbers[:48], numbers[48:96]
    step_m = float(np.abs(following - state)[[*range(6), *range(18, 48)]].max())
    if step_m > _STEP_M:
        found.append(f"a wrist or fingertip goes {step_m:.2f} m in one frame")
    return found + _word_problems(meta) + _image_problems(image)


def _word_problems(meta: Mapping[str, Any]) -> list[str]:
    lacking = [key for key in ("instruction", "instruction_num", "episode_index") if key not in meta]
    if lacking:
        return [f"meta.json lacks {', '.join(lacking)}"]
    words, count = meta["instruction"], meta["instruction_num"]
    texts = [words] if isinstance(words, str) else words if isinstance(words, list) else []
    if not isinstance(count, int) or count < 1 or count > max(len(texts), 1):
        return [f"instruction_num is {reprlib.repr(count)} for {len(texts)} instructions"]
    if not texts or any(not isinstance(t, str) or not t.strip() or t.strip().lower() in _PLACEHOLDERS for t in texts):
        return ["an instruction is empty or a placeholder"]
    if meta.get("presence", 3) not in _PRESENCE:
        return [f"presence is {meta['presence']!r}, not one of {', '.join(map(str, _PRESENCE))}"]
    cameras = meta.get("cameras", ["head"])
    if not isinstance(cameras, list) or cameras[:1] != ["head"]:
        return ["the first camera is not the head's"]
    return []


def _image_problems(image: NDArray[np.uint8]) -> list[str]:
    if image.ndim != 3 or image.shape[2] != 3 or min(image.shape) < 2:
        return [f"the image has shape {image.shape}"]
    pixels = image.reshape(-1, 3)
    mean, spread = pixels.mean(axis=0), pixels.std(axis=0)
    if mean.min() < _MEAN[0] or mean.max() > _MEAN[1] or spread.min() < _SPREAD:
        return [f"the image is dark, bright or flat (means {mean.round()}, deviations {spread.round(1)})"]
    return []


def order_problems(keys: list[tuple[str, int, int]]) -> list[str]:
    """Whether frames of each episode follow each other, given (name, episode, frame) in a shard's order."""
    seen: set[tuple[str, int]] = set()
    last: tuple[str, int, int] | None = None
    for name, episode, frame in keys:
        same = last is not None and last[:2] == (name, episode)
        if same and last is not None and frame != last[2] + 1:
            return [f"episode {episode}: frame {frame} follows {last[2]}"]
        if not same and (name, episode) in seen:
            return [f"episode {episode} is interrupted by another one"]
        seen.add((name, episode))
        last = (name, episode, frame)
    return []
