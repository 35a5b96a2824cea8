"""Guided poses: arm postures that show the board to the camera from many sides and stay clear of everything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitra_calibration.board import Board
from vitra_calibration.refine import Lens
from vitra_description.calibration import Calibration
from vitra_description.kinematics import ArmModel
from vitra_description.limits import ARM_LIMITS
from vitra_description.postures import home
from vitra_policy.action_space import Side
from vitra_policy.errors import VitraError
from vitra_policy.transforms import invert_pose, make_pose, rotation_angle
from vitra_safety.collision import CollisionModel

Array = NDArray[np.float64]

_TRIES, _CANDIDATES = 4000, 150
_SWING_RAD = np.array([0.5, 0.4, 0.6, 0.5, 0.9, 0.8, 1.2])
_CLEAR_M = 0.06
_MARGIN_PX = 12.0
_STEEPEST_RAD = np.radians(55.0)
_LIMIT_MARGIN_RAD = np.radians(5.0)
_TABLE_M = 0.75


class NoPosesError(VitraError):
    """The board cannot be shown to the camera."""


def nominal_ee_from_board(board: Board) -> Array:
    """Pose (4, 4) of a board in place of the hand: its face out of the hand's back, 50 mm beyond the flange."""
    width_m, _ = board.size_m
    axes = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # columns: y, z, x of the flange
    return np.asarray(make_pose([0.0, -width_m / 2, 0.05], axes))


@dataclass(frozen=True, slots=True)
class View:
    """What a camera sees by."""

    lens: Lens
    size_px: tuple[int, int]
    """Width and height of the images."""


def guided_poses(
    calibration: Calibration,
    side: str,
    board: Board,
    view: View,
    count: int = 24,
    seed: int = 0,
) -> list[Array]:
    """Postures (7,) [rad], the next always the one that turns the board farthest from those before.

    Args:
        calibration: Nominal mounting: a hand's breadth and some degrees off are no harm.
        side: Arm that carries the board.
        board: Its geometry.
        view: Of the camera.
        count: How many.
        seed: Of the search.

    Raises:
        NoPosesError: too few postures show the board: is the nominal mounting right?
    """
    random = np.random.default_rng(seed)
    extrinsics = calibration.side(side)
    arm, collisions = (
        ArmModel(calibration.hardware.arm_variant, extrinsics),
        CollisionModel(calibration, (side,), _TABLE_M),
    )
    camera_from_arm_base = invert_pose(calibration.base_from_head_camera) @ extrinsics.base_from_arm_base
    limits, start = ARM_LIMITS.with_margin(_LIMIT_MARGIN_RAD), home(Side(side))
    mounted = nominal_ee_from_board(board)
    found: list[tuple[Array, Array]] = []
    for _ in range(_TRIES):
        q = start + random.uniform(-1, 1, 7) * _SWING_RAD
        if len(found) == _CANDIDATES:
            break
        if not limits.contains(q):
            continue
        camera_from_board = np.asarray(camera_from_arm_base @ arm.fk(q) @ mounted)
        if shows(camera_from_board, board, view.lens, view.size_px) and collisions.distance_m(q) > _CLEAR_M:
            found.append((q, camera_from_board[:3, :3]))
    if len(found) < count:
        raise NoPosesError(
            f"{len(found)} of {_TRIES} postures show the board to the camera, needed {count}. Is the nominal mounting "
            f"in the calibration '{calibration.version}' right within a hand's breadth?"
        )
    chosen = [0]
    nearest = np.full(len(found), np.inf)
    while len(chosen) < count:
        last = found[chosen[-1]][1]
        nearest = np.minimum(nearest, [float(rotation_angle(last.T @ R)) for _, R in found])
        chosen.append(int(np.argmax(nearest)))
    return [found[i][0] for i in chosen]


def shows(camera_from_board: Array, board: Board, lens: Lens, size_px: tuple[int, int]) -> bool:
    """Whether all corners are within the image, and the board faces the camera.

    Args:
        camera_from_board: Pose (4, 4).
        board: Whose corners.
        lens: Projects them.
        size_px: Width and height of the image.
    """
    points = board.corners_m @ camera_from_board[:3, :3].T + camera_from_board[:3, 3]
    if points[:, 2].min() < 0.2:
        return False
    middle = points.mean(axis=0)
    facing = float(camera_from_board[:3, 2] @ middle / np.linalg.norm(middle))  # z runs into the board
    pixels = lens.project(points)
    inside = (pixels > _MARGIN_PX).all() and (pixels < np.array(size_px) - _MARGIN_PX).all()
    return facing > np.cos(_STEEPEST_RAD) and bool(inside)
