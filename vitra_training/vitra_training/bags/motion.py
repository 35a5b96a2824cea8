"""When the joints of a bag move."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from vitra_training.bags.streams import BagStreams, joint_track
from vitra_training.datasets.joint_motion import ARM_RAD, HAND_RAD, WINDOW_S, motion_span, turns


def moving(
    bag: BagStreams, window_s: float = WINDOW_S, arm_rad: float = ARM_RAD, hand_rad: float = HAND_RAD
) -> dict[str, NDArray[Any]]:
    """Per joint stream the times (s) around which a joint turned by more than a threshold within a window.

    Args:
        bag: The streams.
        window_s: Length of the window.
        arm_rad: Threshold of arm joints.
        hand_rad: Threshold of hand joints.
    """
    times = {}
    for topic in bag.joints:
        stamps, positions = joint_track(bag, topic)
        if len(stamps) > 1:
            least_rad = arm_rad if "arm" in topic else hand_rad
            times[topic] = stamps[turns(stamps, positions, window_s, least_rad)]
    return times


def motion_spans(bag: BagStreams) -> dict[str, tuple[float, float]]:
    """Per joint stream that moves the first and the last time (s) at which it does, slow motion included."""
    found = {}
    for topic in bag.joints:
        stamps, positions = joint_track(bag, topic)
        if (span := motion_span(stamps, positions, ARM_RAD if "arm" in topic else HAND_RAD)) is not None:
            found[topic] = span
    return found
