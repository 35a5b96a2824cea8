"""What statistics of hands can be: numbers, not text; moments that a hand can have; sides that are not exchanged."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import ROTATION, TRANSLATION

FloatArray = NDArray[np.float64]

STEP_M = 2.0
"""Largest mean or deviation of a wrist's way in one step. Thrown hands reach 10 m/s, and chunks of the slowest robots
have 5 steps a second; at 30 a second hands that work deviate by some 0.005, and by 5 where they are in millimetres."""
PLACE_M = 10.0
"""The same for a wrist's place in the camera frame, as observations are bound: the camera is worn or stands beside."""
TURN_RAD = math.pi
"""Largest deviation of an angle, and largest mean of a wrist's turn in a step: angles lie between -pi and pi, and no
distribution between two bounds deviates by more than half their distance."""
MEAN_RAD = 2 * math.pi
"""Largest mean of an angle of a pose: joints and wound-up wrists go somewhat beyond pi."""
SHAPE = 10.0
"""Largest mean or deviation of a number of a hand's shape (MANO's betas): they are drawn from a unit normal."""
CROSSED_M = 0.08
"""Hands that are on average farther than a hand's breadth on each other's side, and farther than they scatter, were
exchanged: people reach across now and then, but not on average over a data set. (x of the camera frame points right,
and cameras look ahead. Where hands scatter more than that, nobody can tell; a single hand has nothing beside it.)"""


def flat_numbers(value: object) -> FloatArray:
    """A JSON list of numbers as an array; what is text, a truth value, nested or no list is not turned into numbers.

    Raises:
        ValueError: an entry that is none; a message for the user.
    """
    if isinstance(value, list):
        for entry in value:
            if type(entry) not in (int, float):
                raise ValueError(f"{entry!r:.40} is no number")
    elif type(value) not in (int, float):
        raise ValueError(f"{value!r:.40} is no list of numbers")
    return np.array(value, dtype=np.float64)


def implausible(what: str, mean: FloatArray, std: FloatArray, angles: slice) -> str:
    """Why no hand can have these moments; empty when one can.

    Args:
        what: "state" or "action".
        mean: (D,) of one hand, metres and radians: wrist 6, fingers, shape.
        std: (D,).
        angles: Which numbers after the wrist are finger angles; those behind are of the shape.
    """
    far_m = STEP_M if what == "action" else PLACE_M
    turn_rad = TURN_RAD if what == "action" else MEAN_RAD
    behind = slice(angles.stop, None)
    for part, values, name, largest, unit in (
        (TRANSLATION, std, "deviation of the wrist's translation", far_m, "m"),
        (TRANSLATION, mean, "mean of the wrist's translation", far_m, "m"),
        (ROTATION, std, "deviation of the wrist's rotation", TURN_RAD, "rad"),
        (ROTATION, mean, "mean of the wrist's rotation", turn_rad, "rad"),
        (angles, std, "deviation of a finger's angle", TURN_RAD, "rad"),
        (angles, mean, "mean of a finger's angle", MEAN_RAD, "rad"),
        (behind, std, "deviation of the hand's shape", SHAPE, ""),
        (behind, mean, "mean of the hand's shape", SHAPE, ""),
    ):
        found = np.abs(values[part])
        if found.size and not found.max() <= largest:
            largest_found = f"{found.max():.4g} {unit}".strip()
            return f"{what}: the {name} is {largest_found}, and at most {largest:.4g} can be"
    return ""


def exchanged(left_x_m: tuple[float, float], right_x_m: tuple[float, float]) -> str:
    """Why the statistics of both hands are each other's; empty when they are not.

    Args:
        left_x_m: Mean and deviation of the left hand's x in the camera frame.
        right_x_m: The same of the right hand.
    """
    crossed_m = left_x_m[0] - right_x_m[0]
    if crossed_m <= max(CROSSED_M, math.hypot(left_x_m[1], right_x_m[1])):
        return ""
    return (
        f"the left hand is on average {crossed_m:.2f} m to the right of the right hand (x of the camera frame), so the "
        "sides have been exchanged"
    )
