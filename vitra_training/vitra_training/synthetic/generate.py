"""Writing synthetic data sets: scenes, skills and cameras put together as VITRA-1M episodes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES, Side
from vitra_policy.child_processes import end_with_parent
from vitra_policy.command_options import OptionValueError, check_numbers, check_positive, check_whole_numbers
from vitra_policy.hand.skeleton import default_skeleton
from vitra_policy.transforms import invert_pose, make_pose, matrix_from_euler_xyz, rotation_angle, transform_points
from vitra_training.datasets.camera import Camera
from vitra_training.datasets.episode import HumanEpisode, HumanHand, TextWindow
from vitra_training.datasets.formats.new_folder import Layout, NewFolder
from vitra_training.datasets.formats.vitra_1m import write_episode, write_index
from vitra_training.datasets.video import Image, VideoWriter
from vitra_training.synthetic.motions import HandScript, Skill, Touched, perform, rest, stretched
from vitra_training.synthetic.objects import Thing, scatter
from vitra_training.synthetic.render import DrawnHand, render
from vitra_training.synthetic.scene import camera_path, make_room

Array = NDArray[np.float64]

DATASET = "synthetic"
_LAYOUT = Layout(
    "synthetic data set",
    re.compile(r"annotations/[^/]+\.(npy|npz|partial)|Video/video\d+(\.partial)?\.mp4"),
    "synthetic.json",
)
_SKINS = ((236, 188, 158), (224, 172, 138), (198, 134, 98), (141, 88, 58), (92, 58, 40))


@dataclass(frozen=True, slots=True)
class SyntheticOptions:
    """How many episodes, and of what sort."""

    episodes: int = 100
    """Episodes to write."""
    seed: int = 0
    """The same seed gives the same data set."""
    episodes_per_video: int = 10
    """Episodes that share a video file, one after the other."""
    width_px: int = 320
    """Image width."""
    height_px: int = 240
    """Image height."""
    fps: float = 30.0
    """Frames per second."""
    both_hands: float = 0.15
    """How often both hands act."""
    idle_hand: float = 0.4
    """How often the other hand is in the image, at rest."""
    still_camera: bool = False
    """Hold the camera still, as a robot's head camera is."""
    slowness: float = 1.0
    """How many times longer motions take than a person's."""
    workers: int = 1
    """Processes."""

    def __post_init__(self) -> None:
        check_whole_numbers(self, {"episodes": 1, "episodes_per_video": 1, "width_px": 16, "height_px": 16})
        for name in ("width_px", "height_px"):
            if getattr(self, name) % 2:
                raise OptionValueError(name, getattr(self, name), "even, as the encoder of videos demands")
        check_numbers(self)
        check_positive(self, "fps", "slowness")


def generate(root: Path, options: SyntheticOptions, progress: Callable[[int, int], None] | None = None) -> int:
    """Write `annotations/*.npy` with their index and `Video/*.mp4` below a new folder; returns the episode count.

    Args:
        root: The new folder.
        options: How many, how long, how large.
        progress: Hears episodes done and their number.

    Raises:
        TargetTakenError: something is in the folder that no interrupted run left.
    """
    folder = NewFolder(root, _LAYOUT)
    folder.take()
    (root / "annotations").mkdir()
    step = options.episodes_per_video
    jobs = [(n, min(step, options.episodes - n)) for n in range(0, options.episodes, step)]
    lengths: dict[str, int] = {}
    for written in _run(root, options, jobs):
        lengths |= written
        if progress:
            progress(len(lengths), options.episodes)
    write_index(root / "annotations", dict(sorted(lengths.items())))
    (root / "synthetic.json").write_text(json.dumps(asdict(options), indent=1) + "\n")
    folder.complete()
    return len(lengths)


def make_episode(
    number: int, first_frame: int, video_name: str, options: SyntheticOptions
) -> tuple[HumanEpisode, Iterator[Image]]:
    """One episode and its images, determined by the seed and its number.

    Args:
        number: of the episode in the data set.
        first_frame: where its images start in the video.
        video_name: the video they go to.
        options: sizes and chances.
    """
    rng = np.random.default_rng([options.seed, number])
    camera = _make_camera(options, rng)
    things = scatter(int(rng.integers(3, 6)), rng)
    scripts, main = _choose_scripts(things, options, rng)
    length = len(scripts[main].wrist)
    skeleton = default_skeleton().scaled(float(size := rng.uniform(0.9, 1.1)))
    focus = scripts[main].wrist[:, :3, 3]
    camera_from_world = camera_path(length, focus, rng)
    if options.still_camera:
        camera_from_world = np.repeat(camera_from_world[:1], length, axis=0)
    keypoints = {s: skeleton.posed_keypoints(scripts[s].wrist, scripts[s].fingers_rad, s) for s in scripts}
    beta = np.concatenate([[10 * (size - 1)], rng.normal(0, 0.3, 9)])
    hands = {side: _label(scripts.get(side), keypoints.get(side), camera_from_world, camera, beta) for side in SIDES}
    world_from_camera = invert_pose(camera_from_world)
    turns = world_from_camera[1:, :3, :3] @ np.swapaxes(world_from_camera[:-1, :3, :3], 1, 2)
    episode = HumanEpisode(
        id=f"{DATASET}_{video_name}_ep_{number:06d}",
        dataset=DATASET,
        video_name=video_name,
        video_decode_frame=first_frame + np.arange(length),
        extrinsics=camera_from_world,
        intrinsics=camera.intrinsics,
        anno_type=main,
        hands=hands,
        text={side: _text(scripts.get(side), length) for side in SIDES},
        avg_speed=float(np.linalg.norm(np.diff(focus, axis=0), axis=1).mean()),
        total_rotvec_degree=float(np.degrees(rotation_angle(turns)).sum()),
        total_transl_dist=float(np.linalg.norm(np.diff(world_from_camera[:, :3, 3], axis=0), axis=1).sum()),
    )
    return episode, _images(camera, camera_from_world, things, scripts, keypoints, rng)


def _choose_scripts(
    things: list[Thing], options: SyntheticOptions, rng: np.random.Generator
) -> tuple[dict[Side, HandScript], Side]:
    main = Side.RIGHT if rng.random() < 0.6 else Side.LEFT
    other = main.other
    order = sorted(range(len(things)), key=lambda i: things[i].place_m[1] * (1 if main == "right" else -1))
    target, beside = order[0], order[1 + int(rng.integers(len(order) - 1))]
    skill, poses_per_s = _skill(things[target], things[beside], rng), options.fps * options.slowness
    scripts = {main: perform(skill, main, things, Touched(target, beside), poses_per_s, rng)}
    length = len(scripts[main].wrist)
    chance = rng.random()
    if chance < options.both_hands and order[-1] not in (target, beside):
        skill = _skill(things[order[-1]], things[beside], rng)
        second = perform(skill, other, things, Touched(order[-1], beside), poses_per_s, rng)
        scripts[other] = stretched(second, length)
    elif chance < options.both_hands + options.idle_hand:
        scripts[other] = rest(other, length, rng)
    return scripts, main


def _skill(thing: Thing, beside: Thing, rng: np.random.Generator) -> Skill:
    skills = [Skill.REACH, Skill.GRASP, Skill.GRASP, Skill.PLACE]
    skills += [Skill.POUR] * (4 * (thing.kind.pours and beside.kind.hollow)) + [Skill.SWEEP] * (4 * thing.kind.sweeps)
    return skills[int(rng.integers(len(skills)))]


def _make_camera(options: SyntheticOptions, rng: np.random.Generator) -> Camera:
    width, height = options.width_px, options.height_px
    focal = width / 2 / np.tan(np.radians(rng.uniform(80, 100)) / 2)
    K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    return Camera(K, width, height)


def _text(script: HandScript | None, length: int) -> tuple[TextWindow, ...]:
    if script is None or not script.captions:
        return ()
    return (TextWindow(script.captions[0], 0, length, script.captions[1:]),)


def _label(
    script: HandScript | None, keypoints: Array | None, camera_from_world: Array, camera: Camera, beta: Array
) -> HumanHand:
    length = len(camera_from_world)
    if script is None or keypoints is None:
        still = np.tile(np.eye(3), (length, 1, 1))
        joints = np.zeros((length, 21, 3))
        fingers = np.tile(np.eye(3), (length, 15, 1, 1))
        kept = np.zeros(length, dtype=np.int64)
        return HumanHand(np.zeros(10), still, still, fingers, joints[:, 0], kept, joints, joints)
    in_camera = transform_points(camera_from_world, keypoints)
    rotation = script.wrist[:, :3, :3]
    return HumanHand(
        beta=beta,
        global_orient_camspace=camera_from_world[:, :3, :3] @ rotation,
        global_orient_worldspace=rotation,
        hand_pose=matrix_from_euler_xyz(script.fingers_rad.reshape(length, 15, 3)),
        transl_worldspace=script.wrist[:, :3, 3],
        kept_frames=(camera.sees(in_camera).mean(axis=1) > 0.4).astype(np.int64),
        joints_camspace=in_camera,
        joints_worldspace=keypoints,
    )


def _images(
    camera: Camera,
    camera_from_world: Array,
    things: list[Thing],
    scripts: dict[Side, HandScript],
    keypoints: dict[Side, Array],
    rng: np.random.Generator,
) -> Iterator[Image]:
    room = make_room(camera.width_px, camera.height_px, rng)
    skin = _SKINS[int(rng.integers(len(_SKINS)))]
    r, g, b = rng.integers(20, 230, 3)
    moved = {script.thing: script.thing_pose for script in scripts.values() if script.thing is not None}
    for frame, pose in enumerate(camera_from_world):
        placed = []
        for number, thing in enumerate(things):
            at = moved[number][frame] if number in moved else make_pose(thing.place_m, np.eye(3))
            placed.append((thing, at))
        hands = [
            DrawnHand(side, keypoints[side][frame], _elbow(side, keypoints[side][frame, 0]), skin, (r, g, b))
            for side in scripts
        ]
        yield render(camera, pose, room, placed, hands)


def _elbow(side: Side, wrist: Array) -> Array:
    """Where the forearm comes from: 0.26 m from the wrist towards a hanging upper arm."""
    shoulder = np.array([-0.05, 0.24 if side == "left" else -0.24, 0.02])
    away = shoulder - wrist
    elbow: Array = wrist + 0.26 * away / np.linalg.norm(away)
    return elbow


def _run(root: Path, options: SyntheticOptions, jobs: list[tuple[int, int]]) -> Iterator[dict[str, int]]:
    if options.workers <= 1:
        yield from (_write_video(root, options, *job) for job in jobs)
        return
    with ProcessPoolExecutor(options.workers, initializer=end_with_parent) as pool:
        firsts, counts = zip(*jobs, strict=True)
        yield from pool.map(_write_video, [root] * len(jobs), [options] * len(jobs), firsts, counts)


def _write_video(root: Path, options: SyntheticOptions, first: int, count: int) -> dict[str, int]:
    """One video with its episodes; returns the length of each."""
    cv2.setNumThreads(1)
    name, lengths = f"video{first // options.episodes_per_video:06d}", {}
    path = root / "Video" / f"{name}.mp4"
    with VideoWriter(path, options.width_px, options.height_px, options.fps) as video:
        for number in range(first, first + count):
            episode, images = make_episode(number, video.count, name, options)
            for image in images:
                video.add(image)
            write_episode(episode, root / "annotations")
            lengths[episode.id] = len(episode)
    return lengths
