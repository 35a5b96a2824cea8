"""What hands do: reach, grasp, place, pour and sweep as keyed wrist poses with minimum-jerk motion between."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import FINGERS_DIM, Side
from vitra_policy.transforms import interpolate_pose, invert_pose, make_pose, matrix_from_rotvec
from vitra_training.synthetic.hands import fingers, grasp_pose, side_grasp, top_grasp, wrist_rotation
from vitra_training.synthetic.objects import Thing

Array = NDArray[np.float64]


class Skill(StrEnum):
    """What a hand does in an episode."""

    REACH = "reach"
    GRASP = "grasp"
    PLACE = "place"
    POUR = "pour"
    SWEEP = "sweep"
    REST = "rest"


_WORDINGS: dict[Skill, tuple[str, ...]] = {
    Skill.REACH: ("Reach for {0}.", "Move the hand to {0}.", "Reach out to {0}.", "Approach {0}."),
    Skill.GRASP: ("Pick up {0}.", "Grab {0}.", "Lift {0} from the table.", "Take {0}."),
    Skill.PLACE: ("Place {0} next to {1}.", "Put {0} down beside {1}.", "Set {0} down by {1}."),
    Skill.POUR: ("Pour from {0} into {1}.", "Tilt {0} over {1}.", "Empty {0} into {1}."),
    Skill.SWEEP: ("Wipe the table with {0}.", "Sweep {0} across the table.", "Clean the table using {0}."),
}


@dataclass(frozen=True, slots=True)
class _Key:
    """A pose to be at when `duration_s` has passed since the last one."""

    duration_s: float
    wrist: Array
    grip: float
    holding: bool


@dataclass(frozen=True, slots=True)
class HandScript:
    """One hand over an episode."""

    skill: Skill
    captions: tuple[str, ...]
    """The first is the caption, the others its rephrases; empty at rest."""
    wrist: Array
    """(T, 4, 4) world_from_wrist."""
    fingers_rad: Array
    """(T, 45)."""
    thing: int | None
    """The thing it moves."""
    thing_pose: Array
    """(T, 4, 4) of that thing, world; identity at rest."""


class Touched(NamedTuple):
    """Things of an action, by their numbers."""

    target: int
    """It is moved."""
    beside: int
    """Where it goes to or what is done to."""


def perform(
    skill: Skill, side: Side, things: list[Thing], touched: Touched, fps: float, rng: np.random.Generator
) -> HandScript:
    """A hand doing something with one thing (and, for some skills, near another).

    Args:
        skill: What it does.
        side: Which hand.
        things: All there are.
        touched: Which of them are part of it.
        fps: Frames a second.
        rng: Of the draw.
    """
    target = touched.target
    thing, beside = things[target], things[touched.beside]
    rotation = _grasp_rotation(side, thing, rng)
    at = grasp_pose(side, rotation, thing.place_m + np.array([0, 0, 0.25 * thing.half_extents_m[2]]))
    away = _start_pose(side, rng)
    up = _moved(at, np.array([-0.02, 0, rng.uniform(0.08, 0.18)]) + rng.normal(0, 0.02, 3))
    pace = rng.uniform(0.8, 1.3)
    if skill is Skill.REACH:
        keys = [_Key(0, away, 0.1, False), _Key(0.9, at, 0.25, False), _Key(0.2, at, 0.3, False)]
    elif skill is Skill.GRASP:
        keys = [
            _Key(0, away, 0.1, False),
            _Key(0.8, at, 0.2, False),
            _Key(0.25, at, 0.75, True),
            _Key(0.6, up, 0.8, True),
        ]
    elif skill is Skill.PLACE:
        spot = _spot_beside(beside, thing, rng)
        down = _moved(at, spot - thing.place_m)
        gone = _moved(down, np.array([-0.12, 0, 0.08]))
        keys = [
            _Key(0, at, 0.8, True),
            _Key(0.35, up, 0.8, True),
            _Key(0.6, _moved(down, np.array([0, 0, 0.06])), 0.8, True),
            _Key(0.3, down, 0.7, True),
            _Key(0.2, down, 0.15, False),
            _Key(0.3, gone, 0.1, False),
        ]
    elif skill is Skill.POUR:
        over = _over(side, at, thing, beside)
        tilted = _tilted(over, thing, side, rng.uniform(1.2, 1.8), at)
        keys = [
            _Key(0, up, 0.8, True),
            _Key(0.6, over, 0.8, True),
            _Key(0.5, tilted, 0.8, True),
            _Key(0.3, tilted, 0.8, True),
        ]
    else:
        swing = np.array([rng.uniform(-0.03, 0.03), rng.uniform(0.08, 0.15), 0.0])
        keys = [_Key(0, at, 0.7, True)]
        for stroke in range(int(rng.integers(2, 5))):
            keys.append(_Key(0.35, _moved(at, swing * (1 if stroke % 2 else -1)), 0.7, True))
    keys = [replace(key, duration_s=key.duration_s * pace) for key in keys]
    wrist, grip, holding = _interpolate(keys, fps)
    rotation_of_thing, start = np.eye(3), thing.place_m
    pose = _carry(make_pose(start, rotation_of_thing), wrist, holding)
    captions = tuple(text.format(thing.name, beside.name) for text in _WORDINGS[skill])
    order = rng.permutation(len(captions))
    variation = rng.normal(0, 0.04, FINGERS_DIM)
    angles = np.stack([fingers(float(g), variation) for g in grip])
    return HandScript(skill, tuple(captions[i] for i in order), wrist, angles, target, pose)


def rest(side: Side, length: int, rng: np.random.Generator) -> HandScript:
    """A hand that lies idle near the body, never quite still.

    Args:
        side: Which hand.
        length: Frames.
        rng: Of the tremor.
    """
    base = _start_pose(side, rng)
    phase = rng.uniform(0, 2 * np.pi, 3)
    time = np.arange(length)[:, None] / 30
    drift = 0.004 * np.sin(2 * np.pi * 0.4 * time + phase)
    wrist = np.stack([_moved(base, step) for step in drift])
    angles = np.tile(fingers(float(rng.uniform(0.0, 0.4)), rng.normal(0, 0.05, FINGERS_DIM)), (length, 1))
    return HandScript(Skill.REST, (), wrist, angles, None, np.tile(np.eye(4), (length, 1, 1)))


def stretched(script: HandScript, length: int) -> HandScript:
    """The same motion, holding its last pose (or cut) to a length."""
    rows = np.minimum(np.arange(length), len(script.wrist) - 1)
    return replace(
        script, wrist=script.wrist[rows], fingers_rad=script.fingers_rad[rows], thing_pose=script.thing_pose[rows]
    )


def _interpolate(keys: list[_Key], fps: float) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Wrist (T, 4, 4), grip (T,) and whether the hand holds (T,)."""
    wrist, grip, holding = [keys[0].wrist[None]], [np.array([keys[0].grip])], [np.array([keys[0].holding])]
    for before, after in zip(keys[:-1], keys[1:], strict=True):
        steps = max(round(after.duration_s * fps), 2)
        s = np.arange(1, steps + 1) / steps
        eased = s**3 * (10 - 15 * s + 6 * s * s)
        wrist.append(interpolate_pose(before.wrist, after.wrist, eased))
        grip.append(before.grip + (after.grip - before.grip) * eased)
        holding.append(np.full(steps, after.holding) & (before.holding | (s >= 1)))
    return np.concatenate(wrist), np.concatenate(grip), np.concatenate(holding)


def _carry(start: Array, wrist: Array, holding: NDArray[np.bool_]) -> Array:
    """Pose (T, 4, 4) of a thing that moves with the wrist while it is held."""
    poses, pose = [], start
    for frame in range(len(wrist)):
        if frame and holding[frame] and holding[frame - 1]:
            pose = wrist[frame] @ invert_pose(wrist[frame - 1]) @ pose
        poses.append(pose)
    return np.stack(poses)


def _grasp_rotation(side: Side, thing: Thing, rng: np.random.Generator) -> Array:
    heading = float(rng.uniform(0.0, 0.6))
    rotation = side_grasp(side, heading) if thing.kind.tall else top_grasp(side, heading - 0.3)
    jitter: Array = matrix_from_rotvec(rng.normal(0, 0.08, 3)) @ rotation
    return jitter


def _start_pose(side: Side, rng: np.random.Generator) -> Array:
    sign = 1.0 if side == "left" else -1.0
    place = np.array([0.22, 0.2 * sign, 0.06]) + rng.normal(0, 0.03, 3)
    rotation = wrist_rotation(side, np.array([0.9, -0.35 * sign, 0.0]), np.array([0.2, 0.15 * sign, 1.0]))
    return make_pose(place, matrix_from_rotvec(rng.normal(0, 0.15, 3)) @ rotation)


def _moved(pose: Array, shift_m: Array) -> Array:
    return make_pose(pose[:3, 3] + shift_m, pose[:3, :3])


def _spot_beside(beside: Thing, thing: Thing, rng: np.random.Generator) -> Array:
    angle = rng.uniform(0, 2 * np.pi)
    reach = beside.half_extents_m[0] + thing.half_extents_m[0] + rng.uniform(0.02, 0.05)
    spot = beside.place_m[:2] + reach * np.array([np.cos(angle), np.sin(angle)])
    return np.array([*np.clip(spot, [0.28, -0.35], [0.65, 0.35]), thing.place_m[2]])


def _over(side: Side, at: Array, thing: Thing, beside: Thing) -> Array:
    sign = 1.0 if side == "left" else -1.0
    spot = beside.place_m + np.array([0, 0.05 * sign, beside.half_extents_m[2] + thing.half_extents_m[2] + 0.06])
    return _moved(at, spot - thing.place_m)


def _tilted(over: Array, thing: Thing, side: Side, angle_rad: float, at: Array) -> Array:
    """Turn about the thing's centre so that its top leans inward."""
    inward = 1.0 if side == "left" else -1.0
    R = matrix_from_rotvec(np.array([inward * angle_rad, 0, 0]))
    centre = thing.place_m + over[:3, 3] - at[:3, 3]
    return make_pose(centre + R @ (over[:3, 3] - centre), R @ over[:3, :3])
