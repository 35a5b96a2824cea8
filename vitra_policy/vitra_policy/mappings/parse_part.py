"""From an entry of a mapping to the piece of a vector that it speaks of."""

from __future__ import annotations

from typing import Any

from vitra_policy.action_space import ACTION_DIM, FINGERS_DIM, SIDES, Side
from vitra_policy.mappings.document import MappingError, Section, bounded, finite, listed, whole
from vitra_policy.mappings.part import Part
from vitra_policy.mappings.parts import (
    MEANINGS,
    UNITS,
    ArmJoints,
    Gripper,
    Ignored,
    ManoFingers,
    Meaning,
    OwnHands,
    XHandJoints,
)
from vitra_policy.mappings.rotations import WIDTHS
from vitra_policy.mappings.wrist import Wrist
from vitra_policy.transforms import make_pose, matrix_from_rotvec

_WIDEST = 4096
_scale_size = bounded(1e-6, 1e6)
_in_reach = bounded(-10.0, 10.0)  # metres or radians


def parse_part(section: Section) -> Part:
    """A part of its entry in a mapping.

    Raises:
        MappingError: names the line.
    """
    what = section.choice("what", ("arm_joints", "wrist", "xhand", "mano", "gripper", "hands", "ignored"))
    if what == "ignored":
        part: Part = Ignored(section, section.take("width", _width))
        section.done()
        return part
    if what == "hands":
        section.done()
        return OwnHands(section, ACTION_DIM)
    side = Side(section.choice("side", SIDES))
    meaning: Meaning = section.choice("meaning", MEANINGS, "absolute")  # type: ignore[assignment]
    scale = section.take("scale", _scale, 1.0)
    if what == "gripper":
        low, high = section.take("open", finite, 0.0), section.take("closed", finite, 1.0)
        if low == high:
            raise MappingError(f"{section.where('open')}: open and closed are both {low:g}.")
        part = Gripper(section, 1, side, scale, meaning, low, high)
    elif what == "wrist":
        scale *= UNITS[section.choice("unit", ("m", "mm"), "m")]
        frame = section.choice("frame", ("camera", "base", "arm_base"), "camera")
        rotation = section.choice("rotation", tuple(WIDTHS), "rotvec")
        tool = section.take("tool_from_wrist", _six, [0.0] * 6)
        pose = make_pose(tool[:3], matrix_from_rotvec(tool[3:]))
        part = Wrist(section, 3 + WIDTHS[rotation], side, scale, meaning, frame, rotation, pose)
    else:
        kinds = {"arm_joints": (ArmJoints, 7), "xhand": (XHandJoints, 12), "mano": (ManoFingers, FINGERS_DIM)}
        kind, width = kinds[what]
        scale *= UNITS[section.choice("unit", ("rad", "deg"), "rad")]
        part = kind(section, width, side, scale, meaning)
    section.done()
    return part


def _six(value: Any) -> list[float]:
    numbers = [_in_reach(number) for number in listed(value)]
    if len(numbers) != 6:
        raise ValueError("it must be x y z in metres and a rotation vector in radians")
    return numbers


def _scale(value: Any) -> float:
    number = finite(value)
    if not number:
        raise ValueError("it must not be 0")
    _scale_size(abs(number))
    return number


def _width(value: Any) -> int:
    number = whole(value)
    if not 1 <= number <= _WIDEST:
        raise ValueError(f"it must lie between 1 and {_WIDEST}")
    return number
