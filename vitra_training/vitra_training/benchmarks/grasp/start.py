"""Where a hand starts: in free space, in view, at rest, its palm towards the object, one chunk's reach away from it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from vitra_policy.action_space import Side, join_hands
from vitra_policy.errors import VitraError
from vitra_policy.hand.skeleton import BONES, default_skeleton, palm_centre
from vitra_policy.overlay import project
from vitra_policy.transforms import euler_xyz_from_matrix, make_pose
from vitra_training.benchmarks.grasp.metric import FINGER_POINTS
from vitra_training.benchmarks.grasp.scene import GraspObject, Scene
from vitra_training.synthetic.hands import fingers, wrist_rotation

Array = NDArray[np.float64]

CHUNK_DISTANCE_M = 0.2
"""16 steps at 30 Hz are 0.53 s, and a reaching hand averages about 0.4 m/s: a grasp that one chunk can complete begins
some 0.2 m away. Farther off no chunk reaches, nearer every motion looks like success."""
SHOULDER_M: dict[Side, Array] = {
    Side.LEFT: np.array([-0.22, 0.28, -0.05]),
    Side.RIGHT: np.array([0.22, 0.28, -0.05]),
}
"""About, in the frame of a camera that is worn on the head or stands for one; the forearm runs towards it."""
_TRIES = 2000
_NEAREST_M = 0.15
"""Of the camera to any key point."""
_RADIUS_M = 0.018
"""Flesh around bones, and a margin for the depth image."""
_MOST_COVERED = 0.2
"""Share of the object's points that hand and forearm may cover in the image."""
_PALM_COSINE = 0.5
"""Of the angle between the palm's normal and the way to the object, at least."""
_ARM_M = 0.9
_BEFORE = 0.5


class StartError(VitraError):
    """No place for a hand."""


@dataclass(frozen=True, slots=True)
class StartOptions:
    """How hands are placed."""

    distance_m: float = CHUNK_DISTANCE_M
    """From the nearest finger point to the object: what a hand covers within one chunk."""
    side: Side = Side.RIGHT
    """The hand that acts."""
    seed: int = 0
    """The same seed gives the same places."""


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A hand before it acts."""

    side: Side
    camera_from_wrist: Array
    """(4, 4)."""
    fingers_rad: Array
    """(45,)."""

    @property
    def state(self) -> Array:
        """(102,) as a policy observes it."""
        wrist = self.camera_from_wrist
        hand = np.concatenate([wrist[:3, 3], euler_xyz_from_matrix(wrist[:3, :3]), self.fingers_rad])
        return join_hands(hand if self.side == "left" else None, hand if self.side == "right" else None)

    @property
    def keypoints_m(self) -> Array:
        """(21, 3) in the camera frame."""
        return default_skeleton().posed_keypoints(self.camera_from_wrist, self.fingers_rad, self.side)


def place_hand(scene: Scene, thing: GraspObject, options: StartOptions) -> Start:
    """The first drawn pose that keeps all conditions; another object or scene does not change it.

    Args:
        scene: Image, depth and camera.
        thing: The object that the hand is near.
        options: Distance, hand and seed.

    Raises:
        StartError: none of the drawn poses is free, in view and not hidden.
    """
    rng = np.random.default_rng([options.seed, zlib.crc32(f"{scene.name}/{thing.name}/{options.side}".encode())])
    tree = cKDTree(thing.points_m)
    why = {"out of view": 0, "hidden or not free": 0, "covers the object": 0, "palm turned away": 0}
    for _ in range(_TRIES):
        start = _draw(thing, tree, options, rng)
        reason = _refused(start, scene, thing)
        if reason is None:
            return start
        why[reason] += 1
    counts = ", ".join(f"{reason}: {count}" for reason, count in why.items())
    raise StartError(
        f"Scene {scene.name}, object {thing.name}: no place for a {options.side} hand {options.distance_m:g} m away in "
        f"{_TRIES} tries ({counts}). Give another --distance-m or --side, or leave the object out."
    )


def _draw(thing: GraspObject, tree: cKDTree, options: StartOptions, rng: np.random.Generator) -> Start:
    """A hand on a random side of the object, moved along that direction until its fingers are at the distance."""
    forward = thing.centre_m - SHOULDER_M[options.side] + rng.normal(0, 0.08, 3)
    away = rng.normal(size=3) - _BEFORE * forward / np.linalg.norm(forward)  # more often before the object than behind
    away /= np.linalg.norm(away)
    rotation = wrist_rotation(options.side, forward, away + rng.normal(0, 0.1, 3))
    rest = fingers(0.0)
    points = default_skeleton().keypoints(rest, options.side) @ rotation.T
    relative = points[list(FINGER_POINTS)]
    origin = thing.centre_m - palm_centre(points)
    near, far = 0.0, 1.0 + options.distance_m
    for _ in range(25):  # 36 nanometres
        middle = (near + far) / 2
        distance = np.min(tree.query(relative + origin + middle * away)[0])
        near, far = (near, middle) if distance > options.distance_m else (middle, far)
    return Start(options.side, make_pose(origin + far * away, rotation), rest)


def _refused(start: Start, scene: Scene, thing: GraspObject) -> str | None:
    """Why a pose is none, or None."""
    points = start.keypoints_m
    bones = np.concatenate([points, np.array([(points[a] + points[b]) / 2 for a, b in BONES])])
    pixels = project(bones, scene.camera.matrix)
    size = [scene.camera.width_px, scene.camera.height_px]
    if bones[:, 2].min() < _NEAREST_M or not ((pixels >= 0) & (pixels < size)).all():
        return "out of view"
    palm = -start.camera_from_wrist[:3, 1]
    to_object = thing.centre_m - palm_centre(points)
    if palm @ to_object < _PALM_COSINE * np.linalg.norm(to_object):
        return "palm turned away"
    # In front of the surface that the camera sees, a place is free and not hidden; behind it nobody knows.
    column, row = np.floor(pixels).astype(np.int64).T
    surface_m = scene.depth_mm[row, column] / 1e3
    if ((surface_m > 0) & (bones[:, 2] + _RADIUS_M > surface_m)).any():
        return "hidden or not free"
    return "covers the object" if _covered(start, bones, scene, thing) > _MOST_COVERED else None


def _covered(start: Start, bones_m: Array, scene: Scene, thing: GraspObject) -> float:
    """Share of the object's points that hand and forearm hide from the camera, about."""
    wrist = start.camera_from_wrist[:3, 3]
    along = SHOULDER_M[start.side] - wrist
    arm = wrist + np.linspace(0, _ARM_M, 20)[:, None] * along / np.linalg.norm(along)
    limbs = np.concatenate([bones_m, arm[arm[:, 2] > 0.05]])
    radii = np.where(np.arange(len(limbs)) < len(bones_m), _RADIUS_M, 0.03) * scene.camera.fx_px / limbs[:, 2]
    seen, over = project(thing.points_m, scene.camera.matrix), project(limbs, scene.camera.matrix)
    hidden = np.linalg.norm(seen[:, None] - over, axis=-1) < radii
    return float((hidden & (thing.points_m[:, None, 2] > limbs[:, 2])).any(axis=1).mean())
