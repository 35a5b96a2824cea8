"""Policy `reflex`: stands still until the picture changes, then raises the wrists; for `bench_glass_to_joint`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitra_bringup.wrist_paths import STEP_S, WristPathPolicy, actions_along, wrists_in_base
from vitra_policy.action_space import SIDES, STEPS, Side
from vitra_policy.policies.policy import ActionChunk, Observation

Array = NDArray[np.float64]

RAISE_M, RAISE_S = 0.03, 0.3
CHANGED_LEVELS, CHANGED_PIXELS = 40, 20


class ReflexPolicy(WristPathPolicy):
    """Compares every picture with the first of its run."""

    def __init__(self) -> None:
        super().__init__("reflex", needs_image=True)
        self.reset()

    def reset(self) -> None:
        """Forget the first picture."""
        self._first: NDArray[np.int16] | None = None
        self._changed_s: float | None = None
        self._anchors: dict[Side, Array] = {}

    def infer(self, observation: Observation) -> ActionChunk:
        """Where the wrists were at the first picture, or on the way up since it changed.

        Args:
            observation: With an image.
        """
        self._metadata.check(observation)
        assert observation.image is not None
        image = observation.image.astype(np.int16)
        if self._first is None:
            self._first, self._anchors = image, wrists_in_base(observation)
        if self._changed_s is None and is_changed(self._first, image):
            self._changed_s = observation.stamp_s
        rise_m = np.zeros(STEPS)
        if self._changed_s is not None:
            since_s = observation.stamp_s - self._changed_s + STEP_S * np.arange(1, STEPS + 1)
            rise_m = RAISE_M * np.minimum(since_s / RAISE_S, 1.0)
        paths = {side: np.repeat(self._anchors[side][None], STEPS, axis=0) for side in SIDES}
        for path in paths.values():
            path[:, 2, 3] += rise_m
        return ActionChunk(actions_along(observation, paths), observation.hands, STEP_S, self._metadata.policy_id)


def is_changed(first: NDArray[np.int16], image: NDArray[np.int16]) -> bool:
    """Whether enough pixels differ by enough, and not only by what a camera's noise does.

    Args:
        first: Image (H, W, 3).
        image: Another one (H, W, 3).
    """
    differs = np.abs(image - first).max(axis=2) >= CHANGED_LEVELS
    return bool(np.count_nonzero(differs) >= CHANGED_PIXELS)


def make_reflex_policy() -> ReflexPolicy:
    """Entry point `reflex` of `vitra_policy.policies`."""
    return ReflexPolicy()
