"""Names of joints, links and frames, in the order that drivers, messages and the policy use."""

from __future__ import annotations

from enum import StrEnum

from vitra_policy.action_space import SIDES, Side
from vitra_policy.errors import UnknownNameError
from vitra_policy.hand.xhand_map import XHAND_JOINT_NAMES

ARM_DOF = 7
HAND_DOF = len(XHAND_JOINT_NAMES)


class ArmVariant(StrEnum):
    """Variants of the RM75; they differ in the distance from wrist to flange."""

    RM75_6F = "6f"
    RM75_B = "b"


HAND_JOINT_SUFFIXES: tuple[str, ...] = XHAND_JOINT_NAMES
"""XHand joints in the order of the vendor SDK (ids 0..11)."""

FINGERS: tuple[str, ...] = ("thumb", "index", "mid", "ring", "pinky")

BASE_FRAME = "base_link"
CAMERA_LINK_FRAME = "head_camera_link"
CAMERA_FRAME = "head_camera_color_optical_frame"


def parse_side(text: str) -> Side:
    """`left` or `right` as a `Side`.

    Raises:
        UnknownNameError: for anything else.
    """
    try:
        return Side(text)
    except ValueError:
        raise UnknownNameError("side", text, [side.value for side in SIDES]) from None


def arm_joints(side: str) -> tuple[str, ...]:
    """The 7 arm joints, base to flange: `{side}_joint_1..7`."""
    return tuple(f"{side}_joint_{n}" for n in range(1, ARM_DOF + 1))


def hand_joints(side: str) -> tuple[str, ...]:
    """The XHand's 12 joints in vendor order: `{side}_hand_thumb_bend_joint` ...; others: `HandDescription`."""
    return tuple(f"{side}_hand_{suffix}" for suffix in HAND_JOINT_SUFFIXES)


def fingertips(side: str) -> tuple[str, ...]:
    """The XHand's 5 fingertip frames, thumb to pinky."""
    tips = ("thumb_rota_tip", "index_rota_tip", "mid_tip", "ring_tip", "pinky_tip")
    return tuple(f"{side}_hand_{tip}" for tip in tips)


def arm_base(side: str) -> str:
    """Frame of the arm's own base."""
    return f"{side}_arm_base"


def ee(side: str) -> str:
    """Frame of the tool flange (joint 7)."""
    return f"{side}_ee"


def hand_base(side: str) -> str:
    """Frame of the hand's own base (vendor frame 1.3)."""
    return f"{side}_hand_link"


def hand_mount(side: str) -> str:
    """Frame of the MANO wrist on the robot hand; the policy's wrist poses are poses of this frame."""
    return f"{side}_hand_mount"
