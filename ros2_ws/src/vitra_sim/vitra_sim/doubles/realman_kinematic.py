"""An arm without physics behind the controller double: joints that go to their targets at a limited speed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from vitra_sim.doubles.ports import Array, JointState


class KinematicArm:
    """An `ArmPort` for tests and benchmarks.

    Args:
        position_rad: where the 7 joints stand at first.
        side: `left` or `right`.
        speed_rad_s: fastest that a joint moves.
        clock: monotonic clock [s].
    """

    def __init__(
        self,
        position_rad: Sequence[float],
        *,
        side: str = "left",
        speed_rad_s: float = 6.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.side = side
        self.blocked = False
        self.targets = 0
        self._clock, self._speed_rad_s = clock, speed_rad_s
        self._lock = threading.Lock()
        self._position: Array = np.array(position_rad, dtype=np.float64)
        self._target: Array = self._position.copy()
        self._velocity: Array = np.zeros_like(self._position)
        self._then_s = clock()

    def joint_state(self) -> JointState:
        """Positions and speeds now."""
        with self._lock:
            self._move()
            return JointState(self._position.copy(), self._velocity.copy(), np.zeros_like(self._position), self._then_s)

    def set_target(self, position_rad: Array) -> None:
        """Where to go.

        Args:
            position_rad: Joints (7,).

        Raises:
            ValueError: another number of joints, or one that is not finite.
        """
        target = np.array(position_rad, dtype=np.float64)
        if target.shape != self._position.shape or not np.isfinite(target).all():
            raise ValueError(f"Bad target {position_rad}.")
        with self._lock:
            self._move()
            self._target = target
            self.targets += 1

    def target(self) -> Array:
        """Where it is going (7,)."""
        with self._lock:
            return self._target.copy()

    def _move(self) -> None:
        now_s = self._clock()
        dt_s, self._then_s = now_s - self._then_s, now_s
        if dt_s <= 0.0:
            return
        reach = 0.0 if self.blocked else self._speed_rad_s * dt_s
        step = np.clip(self._target - self._position, -reach, reach)
        self._position = self._position + step
        self._velocity = step / dt_s
