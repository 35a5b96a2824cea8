"""Judges the calibration in a bag: whether it can be true, stays what it is, and is the one of the file in the bag."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vitra_description.calibration import CalibrationError
from vitra_description.names import ee, hand_mount
from vitra_description.plausibility import problems
from vitra_policy.action_space import SIDES
from vitra_training.bags.content import CAMERA_INFO_TOPIC, BagContent
from vitra_training.bags.frames import EDGES, chain, difference, lookup
from vitra_training.bags.observations import calibration_of_file, calibration_of_frames
from vitra_training.bags.streams import CAMERA, BagStreams
from vitra_training.datasets.episode import Array
from vitra_training.datasets.errors import MissingKeyError
from vitra_training.datasets.findings import Finding, Level

ERROR, WARNING = Level.ERROR, Level.WARNING


def calibration(bag: BagStreams, content: BagContent) -> Iterator[Finding]:
    """Frames on `/tf_static`, and what changes of them and of the intrinsics."""
    yield from _changes(bag, content)
    poses = dict(_poses(bag, content))
    broken = [name for name, pose in poses.items() if not np.isfinite(pose).all()]
    for ancestor, child in broken:
        yield Finding(ERROR, "calibration", f"/tf_static: {ancestor} -> {child} is NaN or has a rotation of zeros")
    if broken:
        return
    yield from _impossible(bag, content)
    yield from _of_file(bag, poses)


def _changes(bag: BagStreams, content: BagContent) -> Iterator[Finding]:
    """What changes once images come; what was latched before them is history, of which the newest counts."""
    used = {frame for ancestor, child in EDGES for frame in chain(content.frames, child, ancestor)}
    first_s = bag.streams[CAMERA].arrivals_s[0]
    for change in content.changes:
        if change.name == CAMERA_INFO_TOPIC:
            yield Finding(
                ERROR, "intrinsics", f"they change at {change.at_s - bag.begin_s:.2f} s from {change.before} to "
                f"{change.after}",
            )  # fmt: skip
            return
        if change.name in used and change.at_s > first_s:
            yield Finding(
                ERROR, "calibration", f"/tf_static changes at {change.at_s - bag.begin_s:.2f} s: {change.name} was "
                f"{change.before}, then {change.after}",
            )  # fmt: skip


def _poses(bag: BagStreams, content: BagContent) -> Iterator[tuple[tuple[str, str], Array]]:
    for ancestor, child in EDGES:
        try:
            yield (ancestor, child), lookup(bag.path, content.frames, child, ancestor)
        except MissingKeyError:
            continue  # a side that takes no part; others are missed where poses are made


def _impossible(bag: BagStreams, content: BagContent) -> Iterator[Finding]:
    """Millimetres, exchanged sides, a camera without its optical rotation: as a calibration file is judged."""
    try:
        said = calibration_of_frames(bag.path, content, SIDES)
    except MissingKeyError:
        return
    for problem in problems(said):
        yield Finding(ERROR, "calibration", f"/tf_static: {problem}")


def _of_file(bag: BagStreams, poses: dict[tuple[str, str], Array]) -> Iterator[Finding]:
    try:
        kept = calibration_of_file(bag.path)
    except CalibrationError as error:
        yield Finding(WARNING, "calibration", f"the calibration file in the bag cannot be read: {error}")
        return
    if kept is None:
        return
    if (declared := bag.about.get("calibration_sha256")) not in (None, kept.sha256):
        yield Finding(
            ERROR, "calibration", f"the calibration file in the bag has hash {kept.sha256:.12}, the metadata say "
            f"{declared:.12}: it is not the one that was recorded with",
        )  # fmt: skip
    base, camera = EDGES[0]
    of_file = {(base, camera): kept.base_from_head_camera}
    for side, (_, arm) in zip(SIDES, EDGES[1:3], strict=True):
        of_file[base, arm] = kept.side(side).base_from_arm_base
        of_file[ee(side), hand_mount(side)] = kept.side(side).ee_from_hand_mount
    for (ancestor, child), pose in of_file.items():
        if (ancestor, child) in poses and (apart := difference(pose, poses[ancestor, child])):
            yield Finding(
                ERROR, "calibration", f"{ancestor} -> {child} in the bag's calibration file and on /tf_static are "
                f"{apart} apart; nobody can say which is true",
            )  # fmt: skip
