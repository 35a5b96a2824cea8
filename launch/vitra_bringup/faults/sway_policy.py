"""The campaign's policy: both wrists sway forth and back at 0.25 m/s, until a file tells it to go wrong.

    policy:=sway policy_options:=control=runs/faults/control.json

The file holds {"mode": "..."} with one of `Mode`; it is read at every inference.
"""

from __future__ import annotations

import json
import time
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_bringup.wrist_paths import STEP_S, WristPathPolicy, actions_along, wrists_in_base
from vitra_policy.action_space import SIDES, STEPS
from vitra_policy.errors import UnknownNameError
from vitra_policy.policies.policy import ActionChunk, Observation, PolicyError
from vitra_policy.transforms import matrix_from_euler_xyz

Array = NDArray[np.float64]

AMPLITUDE_M, PEAK_M_S = 0.06, 0.25
_DIRECTION = np.array([1.0, 0.0, -1.0]) / np.sqrt(2.0)
"""Ahead and down: from the ready posture no joint needs more than 38 deg/s for it."""
_RAMP_S = 1.0
_HUGE_M, _OSCILLATION_M = 3.0, 0.15
_SLOW_S = 3.0
_MEMORY_BYTES = 1 << 36


class Mode(StrEnum):
    """How the policy behaves."""

    SWAY = "sway"
    NAN = "nan"
    """Not a number in a chunk."""
    HUGE = "huge"
    """Targets metres away."""
    OSCILLATE = "oscillate"
    """Targets that jump to and fro at every step."""
    RAISE = "raise"
    """An exception that nobody foresaw."""
    REFUSE = "refuse"
    """A policy error, as it should be told."""
    SLOW = "slow"
    """No answer for seconds."""
    MEMORY = "memory"
    """More memory than there is."""
    COLLISION = "collision"
    """Both wrists to one point between them."""
    TABLE = "table"
    """Both wrists straight down through the table."""
    JUMP = "jump"
    """Targets 0.4 m ahead within one step."""
    SPIN = "spin"
    """Both wrists turn by half a turn within one step."""


class SwayPolicy(WristPathPolicy):
    """Paths relative to where the wrists were when the run began.

    Args:
        control: File that holds the mode; absent: sway.
    """

    def __init__(self, control: Path) -> None:
        self._control = control
        super().__init__("sway", needs_image=False)
        self.reset()

    def reset(self) -> None:
        """Begin anew where the wrists are."""
        self._begin_s: float | None = None
        self._anchor_m: dict[str, Array] = {}

    def infer(self, observation: Observation) -> ActionChunk:
        """The next steps of the sway, or whatever the mode is.

        Raises:
            PolicyError: mode `refuse`.
        """
        self._metadata.check(observation)
        mode = self._mode()
        wrists = wrists_in_base(observation)
        if self._begin_s is None:
            self._begin_s = observation.stamp_s
            self._anchor_m = {side: wrist[:3, 3].copy() for side, wrist in wrists.items()}
        if mode is Mode.RAISE:
            raise RuntimeError("planted by the fault campaign")
        if mode is Mode.REFUSE:
            raise PolicyError("planted by the fault campaign")
        if mode is Mode.SLOW:
            time.sleep(_SLOW_S)
        if mode is Mode.MEMORY:
            np.ones(_MEMORY_BYTES, dtype=np.uint8)
        times_s = observation.stamp_s - self._begin_s + STEP_S * np.arange(1, STEPS + 1, dtype=np.float64)
        middle = np.mean(list(self._anchor_m.values()), axis=0)
        paths = {side: planned(mode, wrists[side], self._anchor_m[side], middle, times_s) for side in SIDES}
        actions = actions_along(observation, paths)
        if mode is Mode.NAN:
            actions[3, 0] = np.nan
        return ActionChunk(actions, observation.hands, STEP_S, self._metadata.policy_id)

    def _mode(self) -> Mode:
        try:
            said = json.loads(self._control.read_text())["mode"]
        except FileNotFoundError:
            return Mode.SWAY
        if said not in tuple(Mode):
            raise UnknownNameError("mode of the policy 'sway'", said, tuple(Mode))
        return Mode(said)


def planned(mode: Mode, wrist: Array, anchor_m: Array, middle_m: Array, times_s: Array) -> Array:
    """Wrist poses (n, 4, 4) in base coordinates at times of the run.

    Args:
        mode: How the wrist sways.
        wrist: Pose (4, 4) now; its rotation is kept, where the mode does not turn it.
        anchor_m: Point (3,) it sways about.
        middle_m: Point (3,) between both wrists, where they would meet.
        times_s: Times (n,) of the run.
    """
    rate = PEAK_M_S / AMPLITUDE_M
    path = np.repeat(wrist[None], len(times_s), axis=0)
    path[:, :3, 3] = anchor_m
    swing_m = AMPLITUDE_M * np.minimum(times_s / _RAMP_S, 1.0) * np.sin(rate * times_s)
    path[:, :3, 3] += swing_m[:, None] * _DIRECTION
    if mode is Mode.HUGE:
        path[:, 0, 3] += _HUGE_M
    elif mode is Mode.OSCILLATE:
        path[:, 2, 3] += _OSCILLATION_M * (-1.0) ** np.arange(len(times_s))
    elif mode is Mode.COLLISION:
        path[:, :3, 3] = middle_m
    elif mode is Mode.TABLE:
        path[:, 2, 3] = 0.5
    elif mode is Mode.JUMP:
        path[:, 0, 3] = wrist[0, 3] + 0.4
    elif mode is Mode.SPIN:
        path[:, :3, :3] = wrist[:3, :3] @ matrix_from_euler_xyz([np.pi * 0.9, 0.0, 0.0])
    return path


def make_sway_policy(control: str = "runs/faults/control.json") -> SwayPolicy:
    """Entry point `sway` of `vitra_policy.policies`."""
    return SwayPolicy(Path(control))
