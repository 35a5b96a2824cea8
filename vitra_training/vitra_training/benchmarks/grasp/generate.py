"""Simulated scenes in the benchmark's format: things on a table seen by a head camera, rendered with MuJoCo.

Point clouds are what the depth image sees of each thing, so that they have what a real capture has: the visible side.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_description.calibration import CameraIntrinsics
from vitra_policy.errors import VitraError
from vitra_policy.hand.skeleton import default_skeleton
from vitra_policy.transforms import make_pose, transform_points
from vitra_sim.scene.gl import choose_backend
from vitra_training.benchmarks.grasp.folder import entry_of, write_index, write_scene
from vitra_training.benchmarks.grasp.options import GenerateOptions
from vitra_training.benchmarks.grasp.scene import INDEX, GraspObject, Scene, SceneEntry
from vitra_training.labeling.truth.hand_mesh import right_hand_mesh
from vitra_training.labeling.truth.scene import CAMERA, HandScene, HandShape, Look
from vitra_training.labeling.truth.session import CameraMotion, head_path
from vitra_training.synthetic.objects import KINDS, Shape, Thing, ThingKind, scatter

choose_backend()
from vitra_sim.scene.camera import HeadCamera  # noqa: E402

Array = NDArray[np.float64]

UNSEEN_KINDS = (
    ThingKind("candle", Shape.CYLINDER, (0.028, 0.028, 0.07), tall=True),
    ThingKind("tin", Shape.CYLINDER, (0.05, 0.05, 0.022), tall=False),
    ThingKind("tumbler", Shape.CYLINDER, (0.038, 0.038, 0.065), tall=True, hollow=True),
    ThingKind("brick", Shape.BOX, (0.06, 0.035, 0.03), tall=False),
    ThingKind("soap", Shape.BOX, (0.038, 0.026, 0.013), tall=False),
    ThingKind("packet", Shape.BOX, (0.035, 0.035, 0.085), tall=True),
    ThingKind("lemon", Shape.BALL, (0.03, 0.03, 0.03), tall=False),
    ThingKind("melon", Shape.BALL, (0.055, 0.055, 0.055), tall=False),
)
"""Kinds that no generator of training data draws."""
GROUPS: dict[str, tuple[ThingKind, ...]] = {"seen": KINDS, "unseen": UNSEEN_KINDS}
_FEWEST_POINTS = 150
_ON_SURFACE_M = 0.003
_ABOVE_TABLE_M = 0.004


def generate_scenes(
    root: Path, options: GenerateOptions, progress: Callable[[int, int], None] | None = None
) -> list[SceneEntry]:
    """Render scenes and their index.

    Args:
        root: New folder.
        options: How many and what.
        progress: Called with scenes done and to do.

    Raises:
        VitraError: there are scenes already, or a number that makes none.
    """
    if (root / INDEX).exists():
        raise VitraError(f"{root} holds scenes already. Give another folder, or delete this one.")
    if options.scenes < 1 or options.objects < 2:
        raise VitraError("At least one scene, and two objects in each (captions are shuffled within a scene).")
    entries: list[SceneEntry] = []
    for number in range(options.scenes):
        group = list(GROUPS)[number % len(GROUPS)]
        scene = make_scene(f"scene_{number:03d}", group, options)
        write_scene(root, scene)
        entries.append(entry_of(scene))
        if progress:
            progress(number + 1, options.scenes)
    write_index(root, entries)
    return entries


def make_scene(name: str, group: str, options: GenerateOptions) -> Scene:
    """One scene; drawn again until at least two of its objects are well in view.

    Args:
        name: Its id; with the seed it says what is drawn.
        group: Of `GROUPS`.
        options: Camera and number of objects.
    """
    rng = np.random.default_rng([options.seed, *name.encode()])
    while True:
        things = tuple(scatter(options.objects, rng, GROUPS[group]))
        scene = _render(name, group, things, options, rng)
        if len(scene.objects) >= 2:
            return scene


def _render(
    name: str, group: str, things: tuple[Thing, ...], options: GenerateOptions, rng: np.random.Generator
) -> Scene:
    width, height = options.width_px, options.height_px
    focal = width / 2 / np.tan(np.radians(rng.uniform(*options.fov_deg)) / 2)
    camera = CameraIntrinsics(width, height, focal, focal, width / 2, height / 2)
    world_from_camera = head_path(np.array([[0.46, 0.0, 0.0]]), 30.0, CameraMotion(0.02), rng)[0]
    poses = np.stack([make_pose(thing.place_m, np.eye(3)) for thing in things])
    room = HandScene(
        things, HandShape(right_hand_mesh(), default_skeleton()), (), 2 * np.arctan2(height / 2, focal),
        Look.random(rng), rng,
    )  # fmt: skip
    eye = HeadCamera(camera, shadows=True, camera=CAMERA)
    eye.load(room.model)
    room.pose(world_from_camera, poses, {})
    seen = eye.render(room.data)
    image, depth_mm = seen.colour.copy(), seen.depth_mm.copy()
    eye.close()
    points_m = _points(depth_mm, camera)
    in_world = transform_points(world_from_camera, points_m)
    objects = []
    for thing in things:
        mine = _belongs(in_world, thing)
        if mine.sum() >= _FEWEST_POINTS:
            words = thing.name.removeprefix("the ")
            objects.append(GraspObject(words.replace(" ", "_"), words, points_m[mine]))
    return Scene(name, group, image, depth_mm, camera, tuple(objects))


def _points(depth_mm: NDArray[np.uint16], camera: CameraIntrinsics) -> Array:
    """Points (N, 3) of all pixels whose depth is known, camera frame."""
    row, column = np.nonzero(depth_mm)
    z = depth_mm[row, column] / 1e3
    x = (column + 0.5 - camera.cx_px) / camera.fx_px * z
    y = (row + 0.5 - camera.cy_px) / camera.fy_px * z
    return np.stack([x, y, z], axis=-1)


def _belongs(world_m: Array, thing: Thing) -> NDArray[np.bool_]:
    """Which points (N, 3) in the world are on a thing."""
    local, half = world_m - thing.place_m, thing.half_extents_m + _ON_SURFACE_M
    if thing.kind.shape is Shape.BALL:
        inside = np.linalg.norm(local, axis=1) <= half[0]
    elif thing.kind.shape is Shape.CYLINDER:
        inside = (np.hypot(local[:, 0], local[:, 1]) <= half[0]) & (np.abs(local[:, 2]) <= half[2])
    else:
        inside = (np.abs(local) <= half).all(axis=1)
    return np.asarray(inside & (world_m[:, 2] > _ABOVE_TABLE_M))
