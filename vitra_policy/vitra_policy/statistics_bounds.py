"""What statistics of hands can be: numbers, not text; moments that a hand can have; nothing exchanged.

What is seen is what the numbers themselves contradict. They cannot tell exchanged hands where one hand stands alone or
both work in the same place, nor exchanged actions where both hands hold their fingers alike (as in data that are
augmented by mirroring). Nor can they tell statistics of other data: for both, a checkpoint keeps the hash of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from vitra_policy.action_space import ROTATION, SIDES, TRANSLATION, WRIST, Side
from vitra_policy.errors import UnknownNameError
from vitra_policy.moments import FloatArray, HandStatistics, Moments

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
LEAST = 1e-5
"""Smallest deviation of any number [m, rad]: `vitra-data stats` writes at least 1e-4 m and 1e-3 rad, arms report their
joints to 2e-5 rad and cameras see no hundredth of a millimetre. What deviates by less was constant but for rounding,
and a millimetre beside it would be a hundred deviations and more."""
NARROW_M = 0.02
"""Deviation of a wrist's place that data of a few looks may fall below, so that their steps say nothing of places."""
FINGERS_RAD, LIKENESS = 0.1, 1 / 3
"""Actions are the fingers' angles one step later (or as commanded), so on average those of the state but for grips
that an object stops. Actions farther than this from their own hand's state, and within a third of it at the other
hand's, are the other hand's."""

STEPS_OVER_PLACES = 2.02
"""How much more steps may deviate than places: twice, and something for rounding."""
CHANGE, STILL_RAD = 0.25, 0.05
"""Actions are angles of fingers that deviate like those of the state (by 0.87 to 1.01 times as much in all sets that
we have). Below this share they are changes from step to step, unless fingers hardly move at all."""
FEW = 10
"""Episodes below which a set says too little of how hands move to be judged by that."""

_MOMENTS = ("mean", "std")
_KEYS = ("dataset_name", "num_traj", *(f"{what}_{side}" for side in SIDES for what in ("state", "action")))


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


def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, for `json.loads(..., object_pairs_hook=once_each)`.

    Args:
        pairs: Its keys and values.

    Raises:
        ValueError: a key stands twice; nobody knows which one counts.
    """
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return values


def misnamed(values: dict[str, Any]) -> str:
    """Which key of a statistics file nobody reads, with the nearest one that is read; empty when there is none.

    Args:
        values: The file's JSON object.
    """
    for key in values:
        if key not in _KEYS:
            return str(UnknownNameError("key", key, _KEYS))
        for inner in values[key] if isinstance(values[key], dict) else ():
            if inner not in _MOMENTS:
                return f"{key}: {UnknownNameError('key', inner, _MOMENTS)}"
    return ""


def implausible_hand(state: Moments, action: Moments) -> str:
    """Why no hand can have these moments; empty when one can.

    Args:
        state: Of metres and radians, (D,): wrist 6, fingers, shape.
        action: The same, of steps; without a shape.
    """
    angles = slice(WRIST.stop, action.mean.size)
    for what, moments in (("action", action), ("state", state)):
        if why := _implausible(what, moments.mean, moments.std, angles):
            return why
    return ""


def unlikely(hands: Mapping[Side, HandStatistics]) -> str:
    """Why moments that a hand can have are not those of data, by how hands move; empty when they can be.

    Not for sets of a `FEW` episodes, nor for those that a training wrote beside its weights.

    Args:
        hands: Of each hand that is there.
    """
    for side, hand in hands.items():
        state, action = hand.state, hand.action
        why = _steps_are_places(state.std[TRANSLATION], action.mean[TRANSLATION], action.std[TRANSLATION])
        if why := why or _changes(state.std[WRIST.stop : action.mean.size], action.std[WRIST.stop :]):
            return f"{side} hand: {why}"
    return exchanged_sides(*(hands[side] for side in SIDES)) if len(hands) == len(SIDES) else ""


def _changes(state_rad: FloatArray, action_rad: FloatArray) -> str:
    moved_rad, told_rad = (float(np.sqrt(np.mean(np.square(rad)))) for rad in (state_rad, action_rad))
    if moved_rad < STILL_RAD or told_rad >= CHANGE * moved_rad:
        return ""
    return (
        f"the fingers' angles deviate by {moved_rad:.2g} rad in the state and by {told_rad:.2g} rad in the actions: "
        "those are angles to reach, not changes"
    )


def exchanged_sides(left: HandStatistics, right: HandStatistics) -> str:
    """Why the statistics of both hands, or their actions alone, are each other's; empty when nobody can tell."""
    fingers = slice(WRIST.stop, left.action.mean.size)
    wheres = [(float(hand.state.mean[0]), float(hand.state.std[0])) for hand in (left, right)]
    states, actions = (
        [one.mean[fingers] for one in pair] for pair in ((left.state, right.state), (left.action, right.action))
    )
    return exchanged(*wheres) or _exchanged_actions(np.stack(states), np.stack(actions))


def _implausible(what: str, mean: FloatArray, std: FloatArray, angles: slice) -> str:
    if not std.min() >= LEAST:
        return (
            f"{what}: the smallest deviation is {std.min():.4g} (number {int(std.argmin())}), and at least {LEAST:g} m "
            "or rad can be: what never deviates was not seen to move, and any other value would be far off"
        )
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
            return (
                f"{what}: the {name} is {largest_found}, and at most {largest:.4g} can be: no hand moves like that. "
                "Units are metres and radians"
            )
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


def _steps_are_places(state_std_m: FloatArray, action_mean_m: FloatArray, action_std_m: FloatArray) -> str:
    # the difference of two places deviates by at most twice what places do, and its mean is near 0; of all axes, as
    # mirroring turns them
    place_m, mean_m, std_m = (float(np.linalg.norm(xyz)) for xyz in (state_std_m, action_mean_m, action_std_m))
    if max(mean_m, std_m) <= STEPS_OVER_PLACES * max(place_m, NARROW_M):
        return ""
    return (
        f"the wrist's steps (action) have mean {mean_m:.3g} m and deviation {std_m:.3g} m, and its places (state) "
        f"deviate by {place_m:.3g} m; steps reach at most twice that: state and action have been exchanged or repeated"
    )


def _exchanged_actions(state_rad: FloatArray, action_rad: FloatArray) -> str:
    own_rad, other_rad = (float(np.sqrt(np.mean((state_rad - one) ** 2))) for one in (action_rad, action_rad[::-1]))
    if own_rad <= FINGERS_RAD or other_rad > LIKENESS * own_rad:
        return ""
    return (
        f"the fingers' mean angles in the actions lie {own_rad:.2g} rad from those of their own hand's state and "
        f"{other_rad:.2g} rad from those of the other hand's, so the sides of the actions or of the states have been "
        "exchanged"
    )
