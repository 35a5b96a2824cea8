"""Wrist poses of an observation in base coordinates, and paths there as a policy's actions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import FINGERS, HAND, HAND_DIM, ROTATION, SIDES, STEPS, TRANSLATION, WRIST, Side
from vitra_policy.policies.policy import BASE_FROM_CAMERA, Observation, PolicyMetadata
from vitra_policy.transforms import delta_wrist, invert_pose, make_pose, matrix_from_euler_xyz

Array = NDArray[np.float64]

STEP_S = 1 / 30


def wrists_in_base(observation: Observation) -> dict[Side, Array]:
    """`base_from_wrist` (4, 4) of both hands.

    Args:
        observation: Its extras hold `BASE_FROM_CAMERA`.
    """
    base_from_camera = np.asarray(observation.extras[BASE_FROM_CAMERA], dtype=np.float64)
    return {side: base_from_camera @ _pose(observation.state[HAND[side]]) for side in SIDES}


def actions_along(observation: Observation, paths: Mapping[Side, Array]) -> Array:
    """Actions (STEPS, 102) along wrist paths; the fingers stay.

    Args:
        observation: Where the wrists are.
        paths: `base_from_wrist` (STEPS, 4, 4) of both hands.
    """
    camera_from_base = invert_pose(np.asarray(observation.extras[BASE_FROM_CAMERA], dtype=np.float64))
    wrists = wrists_in_base(observation)
    actions = np.zeros((STEPS, 2 * HAND_DIM))
    for side in SIDES:
        hand = actions[:, HAND[side]]
        hand[:, WRIST] = delta_wrist(camera_from_base @ np.concatenate([wrists[side][None], paths[side]]))
        hand[:, FINGERS] = observation.state[HAND[side]][FINGERS]
    return actions


class WristPathPolicy:
    """What the graph's own test policies share: chunks of the standard shape, nothing to load or to give back.

    Args:
        policy_id: Name in chunks.
        needs_image: Whether it looks.
    """

    def __init__(self, policy_id: str, *, needs_image: bool) -> None:
        self._metadata = PolicyMetadata(
            policy_id, STEPS, STEP_S, needs_image=needs_image, needs_state=True, needs_extras=(BASE_FROM_CAMERA,)
        )

    @property
    def metadata(self) -> PolicyMetadata:
        """What it is and needs."""
        return self._metadata

    def warm_up(self) -> None:
        """Nothing to load."""

    def close(self) -> None:
        """Nothing to give back."""


def _pose(state: Array) -> Array:
    return np.asarray(make_pose(state[TRANSLATION], matrix_from_euler_xyz(state[ROTATION])))
