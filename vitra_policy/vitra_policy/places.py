"""Where things are for a task with one object and one container: the numbers that a small network is asked for.

They are measured in the camera's frame, since that is where the network sees them, but for the turn of the object,
which is about the vertical and counted modulo the object's symmetry. What is poured or swept counts as one place: where
the pieces are that are not in the box or on the mat yet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

GEOMETRY = ("target", "box", "hand_to_target", "half", "pieces")
"""Three numbers each, metres: the object, the container, from the hand to the object, half extents of the object, and
what is left to pour or sweep; where nothing is, the container."""
TURN = slice(3 * len(GEOMETRY), 3 * len(GEOMETRY) + 3)
"""Cosine and sine of the object's turn times its symmetry, and which symmetry that is."""
ASKED = ("place", "hold", "pour", "sweep")
"""What may be asked for, by how a task's name begins."""
ASKED_AT = slice(TURN.stop, TURN.stop + len(ASKED))
"""A number for each: 1 for what is asked."""
NUMBERS = ASKED_AT.stop

_SYMMETRIES: Mapping[str, int] = {
    "cube": 4,
    "carton": 4,
    "mug": 2,
    **dict.fromkeys(("hammer", "brush", "scraper", "pan", "drill", "jug"), 2),
}
"""After how many parts of a full turn an object of a kind is taken the same way; other kinds: any turn."""
_BEGINS = {"hold": ("hold", "pick_up")}
PIECES = ("ball", "cube")
"""What is poured or swept: objects named `{piece}_1`, `{piece}_2` and so on."""
_PIECE = re.compile(rf"({'|'.join(PIECES)})_\d+")
_HIGH_M = 0.04  # above the middle of the box a piece is not in it
_SYMMETRY_SIGN = {4: 1.0, 2: -1.0}


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """The object of a task at T looks.

    Attributes:
        task: Name of the task.
        kind: Of the object.
        in_camera: (T, 3) its centre.
        yaw_rad: (T,) its turn about the vertical.
        half_m: (3,) its half extents.
    """

    task: str
    kind: str
    in_camera: Array
    yaw_rad: Array
    half_m: Array


def places_of(
    target: Target, box_in_camera: Array, wrist_m: Array, pieces_in_camera: Array | None = None
) -> NDArray[np.float32]:
    """Places (T, NUMBERS) at T looks.

    Args:
        target: The object.
        box_in_camera: (3,) centre of the container.
        wrist_m: (T, 3) the acting wrist in the camera frame.
        pieces_in_camera: (T, 3) see `pieces_left`; None where nothing is poured or swept.
    """
    looks = len(target.in_camera)
    symmetry = _SYMMETRIES.get(target.kind, 0)
    turn = np.zeros((looks, 3))
    if symmetry:
        turn[:, 0], turn[:, 1] = np.cos(symmetry * target.yaw_rad), np.sin(symmetry * target.yaw_rad)
        turn[:, 2] = _SYMMETRY_SIGN[symmetry]
    box, half = (np.broadcast_to(part, (looks, 3)) for part in (box_in_camera, target.half_m))
    pieces = box if pieces_in_camera is None else pieces_in_camera
    asked = np.tile([float(target.task.startswith(_BEGINS.get(what, what))) for what in ASKED], (looks, 1))
    parts = [target.in_camera, box, target.in_camera - wrist_m, half, pieces, turn, asked]
    return np.concatenate(parts, axis=1).astype(np.float32)


def is_piece(name: str) -> bool:
    """Whether an object is one of those that are poured or swept, by its name."""
    return bool(_PIECE.fullmatch(name))


def is_left(pieces_m: Array, box_m: Array, box_half_m: Array) -> NDArray[np.bool_]:
    """Which pieces (..., n) still have to be poured or swept: those not over the floor of the box or mat, or too high.

    Args:
        pieces_m: (..., n, 3) their centres, base_link.
        box_m: (..., 3) centre of the box.
        box_half_m: (3,) half extents of its inside.
    """
    off = pieces_m - box_m[..., None, :]
    beside = (np.abs(off[..., :2]) >= box_half_m[:2]).any(axis=-1)
    return np.asarray(beside | (off[..., 2] >= _HIGH_M))


def yaw_of(base_from_object: Array) -> NDArray[np.float64]:
    """Turns (...) about the vertical of poses (..., 4, 4)."""
    return np.asarray(np.arctan2(base_from_object[..., 1, 0], base_from_object[..., 0, 0]), dtype=np.float64)


def pieces_left(names: Sequence[str], base_from_object: Array, box_half_m: Array) -> NDArray[np.float64] | None:
    """Where the pieces are (..., 3) in base_link that still have to be poured or swept; None in a scene without any.

    Across the table that is halfway between the outermost, towards the box that of the one furthest from it: there a
    sweep begins. Once all are done it is the box.

    Args:
        names: Of all objects, the box last; pieces are `ball_1`, `cube_2` and so on.
        base_from_object: (..., objects, 4, 4).
        box_half_m: (3,) half extents of the inside of the box.
    """
    chosen = [i for i, name in enumerate(names) if is_piece(name)]
    if not chosen:
        return None
    at = base_from_object[..., chosen, :, :][..., :3, 3].astype(np.float64)
    box = base_from_object[..., -1, :3, 3].astype(np.float64)
    left = is_left(at, box, box_half_m)
    low = np.where(left[..., None], at, np.inf).min(axis=-2)
    high = np.where(left[..., None], at, -np.inf).max(axis=-2)
    furthest = np.where(left, np.abs(at[..., 1] - box[..., None, 1]), -1.0).argmax(axis=-1)[..., None]
    with np.errstate(invalid="ignore"):
        where = (low + high) / 2
    where[..., 1] = np.take_along_axis(at[..., 1], furthest, axis=-1)[..., 0]
    return np.where(np.asarray(left.any(axis=-1))[..., None], where, box)
