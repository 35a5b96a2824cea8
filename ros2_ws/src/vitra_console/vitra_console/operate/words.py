"""The robot's state in words that an operator under stress understands at a glance."""

from __future__ import annotations

import re
from collections.abc import Sequence

SAFETY = {0: "disarmed", 1: "armed", 2: "stopped"}
"""Values of SafetyState.state."""
ARMED = 1
HEADLINES = {
    "unknown": "No safety supervisor",
    "disarmed": "Disarmed: nothing moves",
    "armed": "Armed: the robot may move",
    "stopped": "STOPPED",
}
EXECUTOR = {
    0: "holds still",
    1: "follows the policy",
    2: "comes to rest",
    3: "on the way to the ready posture",
    4: "idle: no permission to move",
}
"""Values of ExecutorState.state."""
TRACKING, HOMING, TRAJECTORY = 1, 3, 5
DEVICE = {
    "disconnected": "not connected",
    "holding": "holds still",
    "moving": "moves",
    "stopping": "comes to rest",
    "latched": "stopped, waits for re-arming",
    "fault": "fault",
}
_CAUSES = {
    "operator_stop": ("Somebody pressed STOP.", "See that everybody is clear, then re-arm."),
    "operator_lost": ("No operator's console was in touch.", "Keep one open; take control, then re-arm."),
    "heartbeat_lost": ("A part of the software died or hangs.", "It starts again by itself; wait for it, then re-arm."),
    "node_inactive": ("A part of the software is not active.", "Wait until it is, or look at its log; then re-arm."),
    "node_fault": ("A part of the software reports a fault.", "Mend what it says, then re-arm."),
    "driver_fault": ("An arm or a hand reports a fault.", "Free it, or mend what it says; then re-arm."),
    "driver_latched": ("A driver had to stop by itself.", "Re-arm; if it comes again, look at the diagnostics."),
    "launcher_lost": ("The program that started the robot is gone.", "Start it again; then arm."),
    "thread_ended": ("A part of the software lost one of its threads.", "Restart that part; then re-arm."),
    "image_frozen": ("The camera shows the same image again and again.", "Replug the camera; then re-arm."),
    "second_source": ("Two sources of orders at once.", "End one of the two, then re-arm."),
    "permit_not_taken": ("A driver does not obey this supervisor.", "End other supervisors, then re-arm."),
    "feedback_lost": ("An arm or a hand does not report its joints.", "Check its power and cable, then re-arm."),
    "commands_refused": ("The guard refused what was asked.", "Home the arms, or give another instruction; re-arm."),
}
_UNKNOWN = ("", "Mend what it says, then re-arm.")
NEAR_LIMIT_RAD = 0.14


def stop_words(cause: str, source: str, detail: str) -> tuple[str, str]:
    """What happened and the step that mends it, from the fields of a stop; both empty without a cause.

    Args:
        cause: Name of the cause (`StopCause`).
        source: Node or device it came from.
        detail: What it said.
    """
    if not cause:
        return "", ""
    happened, mend = _CAUSES.get(cause, _UNKNOWN)
    what = f"{source}: {detail}" if detail else source
    return f"{happened or cause.replace('_', ' ')} ({what})", mend


def joint_warning(names: Sequence[str], position_rad: Sequence[float], limits: Sequence[tuple[float, float]]) -> str:
    """Which joints are close to an end of their range; empty when none is.

    Args:
        names: of the joints.
        position_rad: where they are.
        limits: (lower, upper) of each [rad].
    """
    near = []
    for name, value, (lower, upper) in zip(names, position_rad, limits, strict=True):
        left_rad = min(value - lower, upper - value)
        if left_rad < NEAR_LIMIT_RAD:
            near.append(f"{readable_joint(name)} is {max(0.0, left_rad) * 57.29578:.0f}° from its limit")
    return ", ".join(near)


def readable_joint(name: str) -> str:
    """`right_joint_4` as `joint 4`."""
    return re.sub(r"^(left|right)_", "", name).replace("_", " ")


def duration(seconds: float) -> str:
    """Seconds as `42 s` or `3 min 05 s`."""
    whole = int(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"
