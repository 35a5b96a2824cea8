"""The kinds of faults: how each is made, what must come of it, and the words that must name it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

import numpy as np

from vitra_bringup.faults.bench import Bench
from vitra_bringup.faults.sway_policy import Mode

CREEP_RAD = float(np.radians(0.5))
BACKLOG_RAD = float(np.radians(5.0))
"""A controller that stood still obeys, when it reads again, what was on the wire before anybody could know: it is
noticed within 100 ms, and a joint at 38 deg/s moves 3.8 deg in that time."""


class Outcome(StrEnum):
    """What must come of a fault."""

    STOPS = "stops"
    """Both arms come to rest, latched, and move again only after a re-arm."""
    HOLDS = "holds"
    """Both arms come to rest, or stay within what they are allowed; a new run suffices."""
    ANY = "any"
    """They may go on or stop; a stop must be latched and named."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault.

    Attributes:
        name: Name in results.
        inject: Makes it; `Bench.undo` takes it back.
        outcome: What must come of it.
        cause: Regular expression that must be found in what the robot says of it.
        lasts_s: For how long it lasts.
        arguments: Launch arguments that it needs.
        ends_graph: The graph is gone afterwards.
        may_creep_rad: How far a joint may move between the stop and the re-arm.
    """

    name: str
    inject: Callable[[Bench], None]
    outcome: Outcome
    cause: str = ""
    lasts_s: float = 1.5
    arguments: tuple[tuple[str, str], ...] = ()
    ends_graph: bool = False
    may_creep_rad: float = CREEP_RAD


_KILLED = (
    "sim_camera", "calibration_publisher", "left_arm_driver", "right_arm_driver", "left_hand_driver",
    "right_hand_driver", "policy", "retarget", "executor", "recorder",
)  # fmt: skip
_FROZEN = ("sim_camera", "policy", "retarget", "recorder", "left_arm_driver", "right_arm_driver", "right_hand_driver")


_HAND = "driver_fault|feedback_lost|driver_latched|right_hand: fault|right_hand/joint_states: stale"
_FEEDBACK = "driver_latched|feedback_lost|feedback_missing|driver_fault|_arm/joint_states: stale"


def _kills() -> Iterator[Kind]:
    for node in _KILLED:
        yield Kind(f"kill_{node}", partial(Bench.kill, name=node), Outcome.STOPS, rf"heartbeat_lost \({node}\)")
    yield Kind("kill_safety_supervisor", partial(Bench.kill, name="safety_supervisor"), Outcome.STOPS, "permit_missing")
    yield Kind(
        "kill_right_arm_sdk", partial(Bench.kill, name="right_arm_sdk"), Outcome.STOPS, "driver_fault|no connection"
    )
    yield Kind("kill_robot_state", partial(Bench.kill, name="robot_state"), Outcome.ANY)


def _freezes() -> Iterator[Kind]:
    for node in _FROZEN:
        cause = rf"heartbeat_lost \({node}\)|driver_latched|feedback_lost|permit_not_taken"
        cause += "|no new camera image" if node == "sim_camera" else ""
        cause += f"|{node.removesuffix('_driver')}/joint_states: stale" if node.endswith("_driver") else ""
        yield Kind(f"freeze_{node}", partial(Bench.freeze, name=node), Outcome.STOPS, cause)
    executor = partial(Bench.freeze, name="executor")
    yield Kind(
        "freeze_executor", executor, Outcome.STOPS, r"driver_latched|heartbeat_lost \(executor\)|command_missing"
    )
    supervisor = partial(Bench.freeze, name="safety_supervisor")
    yield Kind("freeze_safety_supervisor", supervisor, Outcome.STOPS, "permit_missing|driver_latched")
    yield Kind(
        "freeze_right_arm_sdk",
        partial(Bench.freeze, name="right_arm_sdk"),
        Outcome.STOPS,
        _FEEDBACK,
    )
    for node in ("executor", "safety_supervisor", "right_arm_driver"):
        yield Kind(f"hiccup_{node}", partial(Bench.freeze, name=node, seconds=0.08), Outcome.ANY)


def _devices() -> Iterator[Kind]:
    for side in ("left", "right"):
        silent = _device(f"{side}_arm.udp_silent")
        yield Kind(f"udp_silent_{side}_arm", silent, Outcome.STOPS, _FEEDBACK)
    hangs = _device("right_arm.frozen")
    yield Kind("controller_hangs", hangs, Outcome.STOPS, _FEEDBACK, may_creep_rad=BACKLOG_RAD)
    stalled = _device("right_arm.tcp_stalled")
    yield Kind("tcp_stalled", stalled, Outcome.STOPS, "driver_fault|driver_latched", may_creep_rad=BACKLOG_RAD)
    yield Kind("tcp_cut", _device("right_arm.tcp_cut"), Outcome.STOPS, "driver_fault|driver_latched|no connection")
    yield Kind("controller_slow", _device("right_arm.slow"), Outcome.ANY)
    for fault in ("unplugged", "frozen", "not_finite"):
        name = "hand_hangs" if fault == "frozen" else f"hand_{fault}"
        yield Kind(name, _device(f"right_hand.{fault}"), Outcome.STOPS, _HAND)


def _device(name: str) -> Callable[[Bench], None]:
    return lambda bench: bench.device_faults(name)


def _policy() -> Iterator[Kind]:
    causes = {
        Mode.NAN: "not finite|policy_error", Mode.RAISE: "planted|policy_error", Mode.REFUSE: "planted|policy_error",
        Mode.MEMORY: "MemoryError|allocate|policy_error", Mode.SLOW: "",
        Mode.HUGE: "", Mode.OSCILLATE: "", Mode.COLLISION: "", Mode.TABLE: "", Mode.JUMP: "", Mode.SPIN: "",
    }  # fmt: skip
    for mode, cause in causes.items():
        yield Kind(f"policy_{mode}", partial(Bench.mode, mode=mode), Outcome.HOLDS, cause, lasts_s=3.0)


def _messages() -> Iterator[Kind]:
    def second(topic: str, change: Callable[[Any], None]) -> Callable[[Bench], None]:
        return lambda bench: bench.send(topic, change)

    def set_(name: str, value: Any) -> Callable[[Any], None]:
        return lambda message: setattr(message, name, value)

    def permit(message: Any) -> None:
        message.source, message.epoch, message.motion_allowed = 4711, message.epoch + 1, True

    def reordered(message: Any) -> None:
        message.sequence = max(0, message.sequence - 7)

    def nan(message: Any) -> None:
        message.sequence += 1
        message.position_rad[2] = float("nan")

    def leap(message: Any) -> None:
        message.sequence += 1
        message.position_rad[3] += 0.5

    named = "second_source|second_"
    yield Kind("permit_second", second("permit", permit), Outcome.STOPS, named)
    yield Kind("permit_replayed", second("permit", lambda _: None), Outcome.STOPS, named)
    yield Kind("command_second", second("right_arm/command", set_("source", 4711)), Outcome.STOPS, named)
    yield Kind("command_duplicated", second("right_arm/command", lambda _: None), Outcome.STOPS, named)
    yield Kind("command_reordered", second("right_arm/command", reordered), Outcome.STOPS, named)
    yield Kind("command_not_finite", second("right_arm/command", nan), Outcome.STOPS, named)
    yield Kind("command_leap", second("right_arm/command", leap), Outcome.STOPS, named)
    yield Kind("robot_chunk_second", second("robot_chunk", set_("policy_id", "other")), Outcome.STOPS, named)
    yield Kind("hand_chunk_second", second("hand_action_chunk", set_("publisher", 4711)), Outcome.STOPS, named)
    yield Kind("heartbeat_forged", partial(Bench.forge_heartbeat, node="/executor"), Outcome.STOPS, named)


def _others() -> Iterator[Kind]:
    yield Kind("operator_stop", lambda bench: bench.client.stop(), Outcome.STOPS, "operator_stop")
    yield Kind("rearm_older_than_stop", Bench.stop_then_old_rearm, Outcome.STOPS, "operator_stop")
    yield Kind("cpu_starved", partial(Bench.starve, seconds=3.0), Outcome.ANY, lasts_s=3.5)
    yield Kind("disk_full", partial(Bench.fill_disk, name="recorder"), Outcome.ANY, lasts_s=3.0)
    yield Kind("operator_lost", Bench.leave, Outcome.STOPS, "operator_lost", arguments=(("require_operator", "true"),))
    for number in (signal.SIGKILL, signal.SIGHUP):
        name = f"launcher_{number.name.lower()}"
        yield Kind(name, _end_launcher(number), Outcome.STOPS, "launcher_lost", ends_graph=True)


def _end_launcher(number: int) -> Callable[[Bench], None]:
    return lambda bench: os.kill(bench.graph.launcher_pid, number)


KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (*_kills(), *_freezes(), *_devices(), *_policy(), *_messages(), *_others())
}
WORST = (
    "freeze_executor", "freeze_safety_supervisor", "freeze_right_arm_driver", "kill_right_arm_sdk",
    "udp_silent_left_arm", "permit_second", "command_leap", "policy_collision", "policy_nan", "rearm_older_than_stop",
)  # fmt: skip
"""What `make test` runs one seed of."""
