"""What happens in a rendered video: hands reach for things, carry them and put them down, leg after leg."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import FINGERS_DIM, Side
from vitra_policy.transforms import invert_pose, make_pose, matrix_from_rotvec, slerp_rotation
from vitra_training.synthetic.hands import fingers, grasp_pose, side_grasp, top_grasp, wrist_rotation
from vitra_training.synthetic.objects import Thing, scatter

Array = NDArray[np.float64]

_ARC_M = 0.06
_REACH_S, _DWELL_S = (0.7, 1.3), (0.15, 0.35)


@dataclass(frozen=True, slots=True)
class Leg:
    """One atomic action of a hand."""

    start: int
    end: int
    """After its last frame; legs follow each other without gaps."""
    caption: str


@dataclass(frozen=True, slots=True)
class ActingHand:
    """One hand over a whole video."""

    world_from_wrist: Array
    """(T, 4, 4)."""
    fingers_rad: Array
    """(T, 45)."""
    legs: tuple[Leg, ...]


@dataclass(frozen=True, slots=True)
class ActedSession:
    """A whole video, before it is seen by a camera; table top at z = 0, the person looks along x."""

    hands: Mapping[Side, ActingHand]
    things: tuple[Thing, ...]
    thing_poses: Array
    """(N, T, 4, 4) world_from_thing."""
    world_from_camera: Array
    """(T, 4, 4)."""

    def __len__(self) -> int:
        return len(self.world_from_camera)


@dataclass(frozen=True, slots=True)
class CameraMotion:
    """How the head moves."""

    sway_m: float = 0.06
    """Size of its wandering; 0 with `follow` 0 holds the camera still."""
    follow: float = 0.4
    """Share of the hands' way that the gaze follows."""


def make_session(
    frames: int, fps: float, sides: tuple[Side, ...], camera: CameraMotion, rng: np.random.Generator
) -> ActedSession:
    """A random session.

    Args:
        frames: its length.
        fps: frames per second.
        sides: hands that act.
        camera: how the head moves.
        rng: source of randomness.
    """
    things = scatter(6, rng)
    poses = np.tile(np.stack([make_pose(thing.place_m, np.eye(3)) for thing in things])[:, None], (1, frames, 1, 1))
    taken: set[int] = set()
    hands = {}
    for side in sides:
        sign = 1.0 if side == "left" else -1.0
        order = sorted(set(range(len(things))) - taken, key=lambda n: -sign * things[n].place_m[1])
        mine = order[:2]
        taken |= set(mine)
        hands[side] = _act(side, fps, things, mine, poses, rng)
    focus = np.mean([hand.world_from_wrist[:, :3, 3] for hand in hands.values()], axis=0)
    return ActedSession(hands, tuple(things), poses, head_path(focus, fps, camera, rng))


def head_path(focus_m: Array, fps: float, motion: CameraMotion, rng: np.random.Generator) -> Array:
    """(T, 4, 4) world_from_camera of a head that wanders and looks towards (T, 3) where hands act.

    Args:
        focus_m: Where it looks (T, 3).
        fps: Rate of the frames.
        motion: How far it wanders.
        rng: Of the draw.
    """
    time = np.arange(len(focus_m))[:, None] / fps
    head = np.array([0.0, 0.0, rng.uniform(0.38, 0.48)]) + _wander(time, motion.sway_m, rng)
    width = max(int(fps * 0.8) | 1, 3)
    window = np.hanning(width + 2)[1:-1, None]
    padded = np.pad(focus_m, ((width // 2, width // 2), (0, 0)), mode="edge")
    smooth = np.stack([(padded[n : n + width] * window).sum(axis=0) for n in range(len(focus_m))]) / window.sum()
    rest = np.array([rng.uniform(0.38, 0.46), 0.0, 0.0])
    aim = rest + motion.follow * (smooth - rest) + _wander(time, 0.6 * motion.sway_m, rng)
    roll = _wander(time, motion.sway_m, rng)[:, 0]
    poses = []
    for position, target, angle in zip(head, aim, roll, strict=True):
        z = (target - position) / np.linalg.norm(target - position)
        x = np.cross(z, [0.0, 0.0, 1.0])
        x /= np.linalg.norm(x)
        poses.append(make_pose(position, np.stack([x, np.cross(z, x), z], axis=1) @ matrix_from_rotvec([0, 0, angle])))
    return np.stack(poses)


def _act(
    side: Side, fps: float, things: list[Thing], mine: list[int], poses: Array, rng: np.random.Generator
) -> ActingHand:
    """Reach, carry, let go, in turn; moves `mine` in `poses` (N, T, 4, 4)."""
    frames = poses.shape[1]
    variation = rng.normal(0, 0.04, FINGERS_DIM)
    sign = 1.0 if side == "left" else -1.0
    start = wrist_rotation(side, np.array([0.9, -0.3 * sign, -0.2]), np.array([0.3, 0.1 * sign, 1.0]))
    pose = make_pose(np.array([0.26, 0.17 * sign, 0.07]) + rng.normal(0, 0.02, 3), start)
    track, legs = _Track(pose, 0.1, fps), []
    current, turn, drawn_back = 0.1, 0, 0
    while len(track) < frames:
        number = mine[turn % len(mine)]
        thing, first = things[number], drawn_back
        place = poses[number, min(len(track) - 1, frames - 1)]
        heading = float(rng.uniform(-0.1, 0.25))
        rotation = side_grasp(side, heading) if thing.kind.tall else top_grasp(side, heading)
        at = grasp_pose(side, rotation, place[:3, 3] + [0, 0, 0.25 * thing.half_extents_m[2]])
        track.move(at, (current, 0.25), None, rng.uniform(*_REACH_S))
        there_since = len(track)
        track.move(at, (0.25, 0.75), None, rng.uniform(*_DWELL_S))
        middle = (there_since + len(track)) // 2
        legs.append(Leg(first, middle, f"Reach for {thing.name}."))
        spot = _free_spot(side, number, things, poses[:, min(len(track) - 1, frames - 1)], rng)
        there = make_pose(
            at[:3, 3] + spot - place[:3, 3], matrix_from_rotvec([0, 0, rng.uniform(-0.3, 0.3)]) @ at[:3, :3]
        )
        track.move(there, (0.75, 0.8), number, rng.uniform(*_REACH_S))
        down = len(track)
        track.move(there, (0.8, 0.15), None, rng.uniform(*_DWELL_S))
        ends = (down + len(track)) // 2
        legs.append(Leg(middle, ends, f"Move {thing.name} to another place."))
        track.carry(poses[number], first, frames)
        away = make_pose(there[:3, 3] + [-0.09, 0.03 * sign, 0.05], there[:3, :3])
        track.move(away, (0.15, 0.1), None, rng.uniform(0.5, 0.8))
        back = len(track)
        track.move(away, (0.1, 0.1), None, rng.uniform(*_DWELL_S))
        drawn_back = (back + len(track)) // 2
        legs.append(Leg(ends, drawn_back, f"Let go of {thing.name} and draw back."))
        current, turn = 0.1, turn + 1
    cut = tuple(Leg(leg.start, min(leg.end, frames), leg.caption) for leg in legs if leg.start < frames - 4)
    angles = np.stack([fingers(float(value), variation) for value in track.grip[:frames]])
    return ActingHand(np.stack(track.wrist[:frames]), angles, cut)


class _Track:
    """A hand's way, frame by frame: wrist, closing of the fingers, and the thing it holds."""

    def __init__(self, pose: Array, grip: float, fps: float) -> None:
        self.wrist: list[Array] = [pose]
        self.grip = [grip]
        self.held: list[int | None] = [None]
        self._fps = fps

    def __len__(self) -> int:
        return len(self.wrist)

    def move(self, to: Array, grips: tuple[float, float], thing: int | None, duration_s: float) -> None:
        """Append a minimum-jerk motion on a low arc."""
        begin, steps = self.wrist[-1], max(round(duration_s * self._fps), 3)
        s = np.arange(1, steps + 1) / steps
        eased = s**3 * (10 - 15 * s + 6 * s * s)
        far = float(np.linalg.norm(to[:3, 3] - begin[:3, 3]))
        lift = min(_ARC_M, 0.4 * far) * 4 * eased * (1 - eased)
        for share, up in zip(eased, lift, strict=True):
            place = begin[:3, 3] + share * (to[:3, 3] - begin[:3, 3]) + [0, 0, up]
            self.wrist.append(make_pose(place, slerp_rotation(begin[:3, :3], to[:3, :3], share)))
            self.grip.append(float(grips[0] + share * (grips[1] - grips[0])))
            self.held.append(thing)

    def carry(self, path: Array, first: int, frames: int) -> None:
        """Let a thing go with the hand while it is held, and stay where it was put."""
        pose = path[min(first, frames - 1)]
        for frame in range(first + 1, min(len(self.wrist), frames)):
            if self.held[frame] is not None:
                pose = self.wrist[frame] @ invert_pose(self.wrist[frame - 1]) @ pose
            path[frame:] = pose


def _free_spot(side: Side, number: int, things: list[Thing], poses: Array, rng: np.random.Generator) -> Array:
    """A place on the hand's half of the table, away from the other things and from where the thing is."""
    sign = 1.0 if side == "left" else -1.0
    best, clearance = poses[number, :3, 3], -1.0
    for _ in range(40):
        spot = np.array([rng.uniform(0.32, 0.58), sign * rng.uniform(0.02, 0.3), poses[number, 2, 3]])
        free = min(float(np.linalg.norm(spot[:2] - poses[n, :2, 3])) for n in range(len(things)))
        if free > clearance:
            best, clearance = spot, free
        if free > 0.14:
            break
    return best


def _wander(time_s: Array, size: float, rng: np.random.Generator) -> Array:
    total = np.zeros((len(time_s), 3))
    for frequency in (0.25, 0.6, 1.2):
        amplitude = rng.normal(0, size / (1 + frequency), 3)
        total += amplitude * np.sin(2 * np.pi * frequency * time_s + rng.uniform(0, 2 * np.pi, 3))
    return total
