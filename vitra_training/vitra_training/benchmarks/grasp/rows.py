"""What is compared: policies, the same with another object's caption, a hand that stays, and one that knows the way."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from vitra_description.calibration import CameraIntrinsics
from vitra_policy.action_space import (
    ACTION_DIM,
    FINGERS,
    HAND,
    STEPS,
    TRANSLATION,
    Side,
)
from vitra_policy.policies.observation import fov_from_intrinsics
from vitra_policy.policies.policy import Observation
from vitra_policy.policies.registry import parse_options
from vitra_policy.prompt import format_instruction
from vitra_training.benchmarks.grasp.metric import FINGER_POINTS
from vitra_training.benchmarks.grasp.start import Start

Array = NDArray[np.float64]

INITIAL, ORACLE, SHUFFLED = "initial position", "oracle", "shuffled captions"


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One question to a policy: an object and a hand near it."""

    scene: str
    group: str
    name: str
    """Of the object."""
    caption: str
    other_caption: str | None
    """Of another object of the scene; None where it is alone."""
    points_m: Array
    """(N, 3) of the object, camera frame."""
    camera: CameraIntrinsics
    start: Start
    image: Path
    """The scene with the hand in it."""


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """A policy as the command line names it: `name:key=value,...`."""

    name: str
    options: tuple[tuple[str, str], ...] = ()

    @property
    def folder(self) -> str:
        """Where its predictions lie; other options, another folder."""
        options = ",".join(f"{key}={value}" for key, value in self.options)
        return f"{re.sub(r'[^A-Za-z0-9_-]', '_', self.name)}-{zlib.crc32(options.encode()):08x}"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the report."""

    name: str
    policy: PolicySpec | None = None
    """None: no policy is asked."""
    shuffled: bool = False

    @property
    def folder(self) -> str:
        """Below the folder of predictions."""
        if self.policy is None:
            return self.name.replace(" ", "_")
        return self.policy.folder + ("-shuffled" if self.shuffled else "")


def parse_policy(text: str) -> PolicySpec:
    """The policy that `name:key=value,...` means.

    Raises:
        PolicyOptionError: options that are not of that form.
    """
    name, _, options = text.partition(":")
    return PolicySpec(name.strip(), tuple(parse_options([options]).items()))


def rows_of(policies: list[PolicySpec], shuffle: bool = True) -> list[Row]:
    """All rows: the hand that stays, each policy with right and (if wanted) shuffled captions, the oracle."""
    rows = [Row(INITIAL)]
    for number, policy in enumerate(policies):
        earlier = sum(one.name == policy.name for one in policies[:number])
        label = f"{policy.name} ({earlier + 1})" if earlier else policy.name
        rows.append(Row(label, policy))
        if shuffle:
            rows.append(Row(f"{label}, {SHUFFLED}", policy, shuffled=True))
    return [*rows, Row(ORACLE)]


def shuffle_captions(captions: list[tuple[str, str]], rng: np.random.Generator) -> dict[str, str]:
    """Object id -> caption of another object: a random cycle, so that none keeps its own; empty for a single one.

    Args:
        captions: (id, caption) of a scene's objects.
        rng: Of the cycle.
    """
    order = [captions[n] for n in rng.permutation(len(captions))]
    if len(order) < 2:
        return {}
    return {name: words for (name, _), (_, words) in zip(order, [*order[1:], order[0]], strict=True)}


def instruction_of(side: Side, caption: str) -> str:
    """`Left hand: None. Right hand: Pick up the {caption}.`, or the other way round."""
    words = f"Pick up the {caption}."
    return format_instruction(left=words if side == "left" else None, right=words if side == "right" else None)


def observation_of(case: Case, image: NDArray[np.uint8], caption: str) -> Observation:
    """What a policy sees of a case.

    Args:
        case: Hand and camera.
        image: (H, W, 3) with the hand in it.
        caption: What it is told to pick up.
    """
    active = np.array([case.start.side == "left", case.start.side == "right"])
    camera = case.camera
    return Observation(
        stamp_s=0.0,
        instruction=instruction_of(case.start.side, caption),
        image=image,
        intrinsics=camera.matrix,
        fov_rad=fov_from_intrinsics(camera.matrix, camera.width_px, camera.height_px),
        state=case.start.state,
        state_valid=active,
        hands=active,
    )


def stay(case: Case) -> Array:
    """Actions (16, 102) of a hand that stays where and as it is."""
    actions = np.zeros((STEPS, ACTION_DIM))
    actions[:, HAND[case.start.side]][:, FINGERS] = case.start.fingers_rad
    return actions


def go_straight(case: Case) -> Array:
    """Actions (16, 102) that take the nearest finger point straight to the nearest point of the object."""
    points = case.start.keypoints_m[list(FINGER_POINTS)]
    distances, nearest = cKDTree(case.points_m).query(points)
    finger = int(np.argmin(distances))
    actions = stay(case)
    target = case.points_m[np.atleast_1d(nearest)[finger]]
    actions[:, HAND[case.start.side]][:, TRANSLATION] = (target - points[finger]) / STEPS
    return actions
