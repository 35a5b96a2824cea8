"""Drawing a predicted chunk into its image: wrist paths and hand skeletons, projected through the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitra_policy.action_space import FINGERS, HAND, ROTATION, TRANSLATION, WRIST, Hands, Side
from vitra_policy.hand.skeleton import BONES, HandSkeleton, default_skeleton
from vitra_policy.transforms import integrate_wrist, make_pose, matrix_from_euler_xyz

FloatArray = NDArray[np.float64]
Colour = tuple[int, int, int]

_NEAREST_M = 0.02
_COLOURS: dict[Side, tuple[Colour, Colour]] = {
    Side.LEFT: ((94, 210, 255), (20, 70, 230)),
    Side.RIGHT: ((255, 214, 92), (232, 52, 32)),
}
"""First and last step of the path."""


@dataclass(frozen=True, slots=True, eq=False)
class HandPath:
    """Where one hand is and goes, in the camera frame."""

    side: Side
    camera_from_wrist: FloatArray
    """(T + 1, 4, 4), the observed pose first."""
    keypoints_m: FloatArray
    """(T + 1, 21, 3), of the observed hand first."""


def hand_paths(
    actions: ArrayLike, state: ArrayLike, hands: Hands, skeleton: HandSkeleton | None = None
) -> tuple[HandPath, ...]:
    """Paths of the active hands of a chunk.

    Args:
        actions: (T, 102) de-normalised.
        state: (102,) hands at the observation, camera frame.
        hands: The hands that move.
        skeleton: Whose hands; the default one if None.
    """
    steps, now = np.asarray(actions, dtype=np.float64), np.asarray(state, dtype=np.float64)
    shape = skeleton or default_skeleton()
    paths = []
    for side in hands.active:
        own, observed = steps[:, HAND[side]], now[HAND[side]]
        start = make_pose(observed[TRANSLATION], matrix_from_euler_xyz(observed[ROTATION]))
        poses = np.concatenate([start[None], integrate_wrist(start, own[:, WRIST])])
        fingers = np.concatenate([observed[FINGERS][None], own[:, FINGERS]])
        paths.append(HandPath(side, poses, shape.posed_keypoints(poses, fingers, side)))
    return tuple(paths)


def intrinsics_from_fov(fov_rad: ArrayLike, width_px: int, height_px: int) -> FloatArray:
    """Pinhole matrix (3, 3) of an image with that field of view (2,), principal point in the middle.

    Args:
        fov_rad: Horizontal and vertical.
        width_px: Of the image.
        height_px: Of the image.
    """
    half = np.tan(np.asarray(fov_rad, dtype=np.float64) / 2)
    size = np.array([width_px, height_px])
    K = np.eye(3)
    K[0, 0], K[1, 1] = size / 2 / half
    K[:2, 2] = size / 2
    return K


def project(points_m: ArrayLike, intrinsics: ArrayLike) -> FloatArray:
    """Pixels (..., 2) of points (..., 3) in the camera frame; NaN for points at or behind the camera."""
    points, K = np.asarray(points_m, dtype=np.float64), np.asarray(intrinsics, dtype=np.float64)
    depth = points[..., 2:]
    ahead = depth > _NEAREST_M
    ratio = points[..., :2] / np.where(ahead, depth, 1.0)
    pixels: FloatArray = np.where(ahead, ratio * K[[0, 1], [0, 1]] + K[:2, 2], np.nan)
    return pixels


def draw_overlay(
    image: NDArray[np.uint8], intrinsics: ArrayLike, paths: tuple[HandPath, ...], skeletons: int = 3
) -> NDArray[np.uint8]:
    """A copy of an image (H, W, 3) with every hand's path and ``skeletons`` of its poses, first to last.

    Args:
        image: RGB uint8.
        intrinsics: (3, 3) pixels.
        paths: One of each hand.
        skeletons: How many hands are drawn along a path.
    """
    from PIL import Image, ImageDraw

    base = Image.fromarray(image).convert("RGBA")
    width = max(2, round(min(base.size) / 160))
    for path in paths:
        layer = Image.new("RGBA", base.size)
        draw = ImageDraw.Draw(layer)
        colours = _ramp(path.side, len(path.camera_from_wrist))
        shown = np.linspace(0, len(colours) - 1, skeletons).round().astype(int)
        for index in shown:
            hand = project(path.keypoints_m[index], intrinsics)
            for a, b in BONES:
                _line(draw, hand[[a, b]], (*colours[index], 200), max(1, width // 2))
        wrist = project(path.camera_from_wrist[:, :3, 3], intrinsics)
        for index in range(len(wrist) - 1):
            _line(draw, wrist[[index, index + 1]], (*colours[index + 1], 255), width)
        for index in (0, len(wrist) - 1):
            _dot(draw, wrist[index], colours[index], 2 * width)
        base = Image.alpha_composite(base, layer)
    return np.asarray(base.convert("RGB"))


def _ramp(side: Side, count: int) -> list[Colour]:
    first, last = (np.array(colour) for colour in _COLOURS[side])
    mixed = first + (last - first) * np.linspace(0, 1, count)[:, None]
    return [(int(r), int(g), int(b)) for r, g, b in mixed.round()]


def _line(draw: object, pixels: FloatArray, colour: tuple[int, ...], width: int) -> None:
    if np.isfinite(pixels).all() and np.abs(pixels).max() < 1e5:
        draw.line([tuple(p) for p in pixels.tolist()], fill=colour, width=width)  # type: ignore[attr-defined]


def _dot(draw: object, pixel: FloatArray, colour: Colour, radius: int) -> None:
    if np.isfinite(pixel).all() and np.abs(pixel).max() < 1e5:
        x, y = pixel.tolist()
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)  # type: ignore[attr-defined]
