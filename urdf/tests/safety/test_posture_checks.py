"""Where the wrist may be, and how near the arm may come to anything."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from vitra_safety.collision import Closest
from vitra_safety.guard import GuardReason
from vitra_safety.posture_checks import MIN_DISTANCE_M, CollisionCheck, WorkspaceBox, WorkspaceCheck

MIDDLE = np.array([0.3, 0.0, 1.2])
FACES = [(0, -0.10), (1, -0.85), (2, 0.76), (0, 0.85), (1, 0.85), (2, 1.75)]
LOWER = 3


def pose_of(place: np.ndarray) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, 3] = place
    return pose


def box_check() -> WorkspaceCheck:
    """An arm whose joints are its wrist's place."""
    return WorkspaceCheck(SimpleNamespace(wrist_pose=pose_of), np.eye(4))  # type: ignore[arg-type]


@pytest.mark.parametrize("number", range(6))
def test_the_box_ends_at_each_face(number: int) -> None:
    axis, face_m = FACES[number]
    outwards = -1.0 if number < LOWER else 1.0
    check, place = box_check(), MIDDLE.copy()
    place[axis] = face_m
    assert check(place, MIDDLE) is None
    place[axis] = face_m + 0.001 * outwards
    refusal = check(place, MIDDLE)
    assert refusal is not None
    assert refusal.reason is GuardReason.WORKSPACE
    box = WorkspaceBox()
    allowed = f"{box.lower_m[axis]:.3f}..{box.upper_m[axis]:.3f}"
    assert refusal.detail == f"wrist {'xyz'[axis]} at {place[axis]:.3f} m, allowed {allowed}"


def test_who_is_outside_already_may_stay_or_come_back_and_not_go_further_out() -> None:
    check, outside = box_check(), MIDDLE + [0.0, 0.0, 1.0]
    assert check(outside, outside) is None
    assert check(outside - [0.0, 0.0, 0.1], outside) is None
    assert check(outside + [0.0, 0.0, 0.001], outside) is not None
    assert check(outside - [0.6, 0.0, 0.1], outside) is not None, "back in one direction, out in another"


def collision_check(distances: dict[float, float]) -> CollisionCheck:
    model = SimpleNamespace(
        closest=lambda q: Closest(distances[float(q[0])], "palm", "table"),
        distance_m=lambda q: distances[float(q[0])],
    )
    return CollisionCheck(model)  # type: ignore[arg-type]


@pytest.mark.parametrize(("now_m", "before_m", "allowed"), [
    (0.02, 0.5, True), (0.0199, 0.5, False), (0.01, 0.01, True), (0.011, 0.01, True), (0.009, 0.01, False),
])  # fmt: skip
def test_twenty_millimetres_are_kept_and_who_is_nearer_may_not_come_closer(
    now_m: float, before_m: float, allowed: bool
) -> None:
    refusal = collision_check({1.0: now_m, 0.0: before_m})(np.array([1.0]), np.array([0.0]))
    assert MIN_DISTANCE_M == 0.02
    assert (refusal is None) is allowed
    if refusal is not None:
        assert refusal.detail == f"{now_m * 1e3:.1f} mm between palm and table, allowed 20 mm"
