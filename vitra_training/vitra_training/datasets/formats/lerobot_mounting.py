"""What LeRobot's layout has no place for: how the robot was mounted, which camera saw it, which arms took part."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vitra_description.names import arm_joints, hand_joints
from vitra_policy.action_space import SIDES, Side
from vitra_training.datasets.arrays import check_finite, check_shape
from vitra_training.datasets.episode import Array, RobotEpisode
from vitra_training.datasets.errors import BrokenFileError, WrongShapeError
from vitra_training.datasets.formats.teledata import ARM_JOINTS, HAND_JOINTS, SideJoints, absent_side, make_side

MOUNTING = "vitra.json"
"""Beside LeRobot's own tables, which do not mind."""
_VERSION = 1
NUMBERS = tuple(name for side in SIDES for name in (*arm_joints(side), *hand_joints(side)))
"""Left arm (7) and hand (12), then the right ones."""


@dataclass(frozen=True, slots=True)
class Mounting:
    """Of one episode."""

    id: str
    intrinsics: Array
    """(3, 3) of the stored video."""
    has: Mapping[Side, bool]
    ee_from_hand_mount: Mapping[Side, Array]
    """(4, 4)."""
    arm_base_from_camera: Mapping[Side, Array]
    """(4, 4)."""

    @staticmethod
    def of(episode: RobotEpisode) -> Mounting:
        """Of a robot episode."""
        parts = episode.sides
        return Mounting(
            id=episode.id,
            intrinsics=episode.intrinsics,
            has={side: episode.has(side) for side in SIDES},
            ee_from_hand_mount={side: parts[side].ee_urdf_to_hand_mount for side in SIDES},
            arm_base_from_camera={side: parts[side].head_camera_to_arm_base for side in SIDES},
        )


def write_mountings(path: Path, mountings: Sequence[Mounting]) -> None:
    """One entry an episode, in order."""
    entries = [
        {"id": one.id, "intrinsics": np.asarray(one.intrinsics).tolist()}
        | {
            side: {
                "has": bool(one.has[side]),
                "ee_from_hand_mount": np.asarray(one.ee_from_hand_mount[side]).tolist(),
                "arm_base_from_camera": np.asarray(one.arm_base_from_camera[side]).tolist(),
            }
            for side in SIDES
        }
        for one in mountings
    ]
    path.write_text(json.dumps({"version": _VERSION, "episodes": entries}))


def read_mountings(path: Path) -> dict[int, Mounting]:
    """By episode number; empty where there is no such file, as in data sets of others.

    Raises:
        BrokenFileError: it is damaged, or of a later version.
        WrongShapeError, NotFiniteError: a matrix is none.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text())
        if content["version"] != _VERSION:
            raise BrokenFileError(path, "mounting of our robot", f"version {content['version']}, known is {_VERSION}")
        return {number: _mounting(f"{path}: episode {number}", one) for number, one in enumerate(content["episodes"])}
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as cause:
        raise BrokenFileError(path, "mounting of our robot", f"{type(cause).__name__}: {cause}") from None


def robot_episode(
    task: str, fps: float, numbers: Mapping[str, Array], names: Mapping[str, Sequence[str]], mounting: Mounting
) -> RobotEpisode:
    """A robot episode of the numbers of our LeRobot data sets; poses by forward kinematics.

    Args:
        task: What was done.
        fps: Rate.
        numbers: `observation.state`, `action` (T, 38) and `observation.hand_valid` (T, 2).
        names: Of these numbers.
        mounting: What the layout has no place for.

    Raises:
        WrongShapeError: the numbers are not those of our robot.
    """
    for feature in ("observation.state", "action"):
        if tuple(names.get(feature, ())) != NUMBERS:
            got = f"{', '.join(names.get(feature, ())[:3])} ... ({len(names.get(feature, ()))})"
            raise WrongShapeError(f"{mounting.id}: {feature}", got, f"{NUMBERS[0]} to {NUMBERS[-1]} ({len(NUMBERS)})")
    state = check_shape(f"{mounting.id}: state", numbers["observation.state"], (None, len(NUMBERS)))
    action = check_shape(f"{mounting.id}: action", numbers["action"], (len(state), len(NUMBERS)))
    known = numbers.get("observation.hand_valid", np.ones((len(state), len(SIDES))))
    valid = check_shape(f"{mounting.id}: hand_valid", known, (len(state), len(SIDES))).astype(bool)
    from vitra_description.kinematics import ArmModel  # heavy, and only needed here

    model, width = ArmModel(), ARM_JOINTS + HAND_JOINTS
    sides = {}
    for n, side in enumerate(SIDES):
        if not mounting.has[side]:
            sides[side] = absent_side(len(state))
            continue
        arm, hand = slice(n * width, n * width + ARM_JOINTS), slice(n * width + ARM_JOINTS, (n + 1) * width)
        joints = state[:, arm].astype(np.float64)
        sides[side] = make_side(
            SideJoints(joints, state[:, hand], action[:, arm], action[:, hand]),
            base_from_ee=np.stack([model.fk(q) for q in joints]),
            ee_from_hand_mount=np.asarray(mounting.ee_from_hand_mount[side]),
            base_from_camera=np.asarray(mounting.arm_base_from_camera[side]),
            valid=valid[:, n],
        )
    return RobotEpisode(
        mounting.id,
        task,
        fps,
        np.asarray(mounting.intrinsics),
        sides,
        mounting.has[Side.LEFT],
        mounting.has[Side.RIGHT],
    )


def _mounting(where: str, entry: Mapping[str, Any]) -> Mounting:
    def matrix(values: Any, name: str, size: int) -> Array:
        made = check_shape(f"{where}: {name}", values, (size, size)).astype(np.float64)
        check_finite(f"{where}: {name}", made)
        return made

    return Mounting(
        id=str(entry["id"]),
        intrinsics=matrix(entry["intrinsics"], "intrinsics", 3),
        has={side: bool(entry[side]["has"]) for side in SIDES},
        ee_from_hand_mount={s: matrix(entry[s]["ee_from_hand_mount"], "ee_from_hand_mount", 4) for s in SIDES},
        arm_base_from_camera={s: matrix(entry[s]["arm_base_from_camera"], "arm_base_from_camera", 4) for s in SIDES},
    )
