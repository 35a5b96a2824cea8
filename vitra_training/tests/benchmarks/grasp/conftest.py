"""A small folder of scenes by hand: a wall 0.9 m before the camera, boxes before it whose places are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vitra_description.calibration import CameraIntrinsics
from vitra_policy.action_space import ACTION_DIM, HAND, Side
from vitra_policy.hand.skeleton import palm_centre
from vitra_policy.policies import registry
from vitra_policy.policies.policy import ActionChunk, Observation, PolicyMetadata
from vitra_policy.transforms import make_pose, matrix_from_euler_xyz
from vitra_training.benchmarks.grasp.folder import entry_of, write_index, write_scene
from vitra_training.benchmarks.grasp.rows import Case
from vitra_training.benchmarks.grasp.scene import GraspObject, Scene
from vitra_training.benchmarks.grasp.start import Start, StartOptions, place_hand

CENTRES_M = {"red_box": (-0.18, 0.1, 0.85), "blue_box": (0.02, 0.12, 0.85), "green_box": (0.2, 0.08, 0.85)}


def make_scene(name: str = "kitchen", centres: dict[str, tuple[float, float, float]] = CENTRES_M) -> Scene:
    camera = CameraIntrinsics(320, 240, 200.0, 200.0, 160.0, 120.0)
    depth = np.full((240, 320), 900, dtype=np.uint16)
    grid = np.stack(np.meshgrid(*[np.linspace(-0.03, 0.03, 13)] * 2, [0.0]), axis=-1).reshape(-1, 3)
    image = np.full((240, 320, 3), 90, dtype=np.uint8)
    objects = []
    for one, centre in centres.items():
        points = grid + np.array(centre)
        u, v = (points[:, :2] / points[:, 2:] * 200 + [160, 120]).T
        box = slice(int(v.min()), int(v.max()) + 1), slice(int(u.min()), int(u.max()) + 1)
        depth[box], image[box] = round(1000 * centre[2]), (200, 40, 40)
        objects.append(GraspObject(one, one.replace("_", " "), points))
    return Scene(name, "seen", image, depth, camera, tuple(objects))


def write_folder(root: Path, scenes: list[Scene]) -> Path:
    for scene in scenes:
        write_scene(root, scene)
    write_index(root, [entry_of(scene) for scene in scenes])
    return root


@pytest.fixture
def scene() -> Scene:
    return make_scene()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two scenes; the second has a single object."""
    one = {"red_box": CENTRES_M["red_box"]}
    return write_folder(tmp_path / "scenes", [make_scene(), make_scene("desk", one)])


@pytest.fixture
def case(scene: Scene) -> Case:
    thing = scene.objects[0]
    start = place_hand(scene, thing, StartOptions())
    return Case(
        scene.name, scene.group, thing.name, thing.caption, "blue box", thing.points_m, scene.camera, start, Path()
    )


class ReachingPolicy:
    """Knows the hand-made scenes: goes halfway to what the caption names, as `halfway`, and counts its answers."""

    def __init__(self) -> None:
        self.metadata = PolicyMetadata("halfway", steps=8)
        self.seen: list[Observation] = []
        self.fail_after = 1000
        self.warmed = self.closed = 0

    def warm_up(self) -> None:
        self.warmed += 1

    def reset(self) -> None:
        pass

    def close(self) -> None:
        self.closed += 1

    def infer(self, observation: Observation) -> ActionChunk:
        if len(self.seen) >= self.fail_after:
            raise KeyboardInterrupt
        self.seen.append(observation)
        centre = next(c for name, c in CENTRES_M.items() if name.replace("_", " ") in observation.instruction)
        hand = observation.state[HAND[Side.RIGHT]]
        actions = np.zeros((8, ACTION_DIM))
        start = start_of(observation)
        actions[:, HAND[Side.RIGHT]][:, :3] = 0.5 * (np.array(centre) - palm_centre(start.keypoints_m)) / 8
        actions[:, HAND[Side.RIGHT]][:, 6:] = hand[6:]
        return ActionChunk(actions, np.array([False, True]), 1 / 30, "halfway")


def start_of(observation: Observation) -> Start:
    hand = observation.state[HAND[Side.RIGHT]]
    return Start(Side.RIGHT, make_pose(hand[:3], matrix_from_euler_xyz(hand[3:6])), hand[6:])


@pytest.fixture
def halfway(monkeypatch: pytest.MonkeyPatch) -> ReachingPolicy:
    policy = ReachingPolicy()
    monkeypatch.setitem(registry._registered, "halfway", lambda gain="0.5": policy)
    return policy


@pytest.fixture
def quiet() -> Callable[..., None]:
    return lambda *_: None
