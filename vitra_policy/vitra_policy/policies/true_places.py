"""Where things are by the simulator's ground truth, as the numbers that a network says of an image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import HAND, SIDES, TRANSLATION
from vitra_policy.places import NUMBERS, Target, pieces_left, places_of, yaw_of
from vitra_policy.policies.policy import (
    BASE_FROM_CAMERA,
    SIM_OBJECT_NAMES,
    SIM_OBJECT_POSES,
    SIM_OBJECT_SIZES,
    SIM_TASK,
    Observation,
)
from vitra_policy.policies.registry import PolicyOptionError
from vitra_policy.transforms import invert_pose, transform_points

TRUE_PLACES = (BASE_FROM_CAMERA, SIM_OBJECT_NAMES, SIM_OBJECT_POSES, SIM_OBJECT_SIZES, SIM_TASK)
"""Extras that it needs."""


class TruePlaces:
    """Normalised places of an observation.

    Args:
        mean: Of the places that the network was trained with (NUMBERS,).
        std: Their deviations.
    """

    def __init__(self, mean: NDArray[np.float64], std: NDArray[np.float64]) -> None:
        self._mean, self._std = mean, std

    @staticmethod
    def of_training(checkpoint: Path, training: Mapping[str, Any]) -> TruePlaces:
        """With the scale that a checkpoint says of itself.

        Raises:
            PolicyOptionError: it says none.
        """
        mean, std = (np.array(training.get(f"places_{what}", ()), dtype=np.float64) for what in ("mean", "std"))
        if mean.shape != (NUMBERS,) or std.shape != (NUMBERS,):
            raise PolicyOptionError(f"{checkpoint} does not say how it counts places: train it anew for places=true.")
        return TruePlaces(mean, std)

    def __call__(self, observation: Observation) -> NDArray[np.float64]:
        """The numbers; the task's object is the first of the scene's, its container the last."""
        extras = observation.extras
        poses = np.asarray(extras[SIM_OBJECT_POSES], dtype=np.float64)
        camera_from_base = invert_pose(np.asarray(extras[BASE_FROM_CAMERA], dtype=np.float64))
        in_camera = (camera_from_base @ poses)[:, :3, 3]
        names = [str(name) for name in np.asarray(extras[SIM_OBJECT_NAMES])]
        sizes_m = np.asarray(extras[SIM_OBJECT_SIZES], dtype=np.float64)
        pieces = pieces_left(names, poses, sizes_m[-1])
        side = SIDES[int(np.flatnonzero(observation.hands)[0])]
        places = places_of(
            Target(str(extras[SIM_TASK]), names[0].rpartition("_")[2], in_camera[:1], yaw_of(poses[:1]), sizes_m[0]),
            in_camera[-1],
            observation.state[None, HAND[side]][:, TRANSLATION],
            None if pieces is None else transform_points(camera_from_base, pieces[None]),
        )
        normalised: NDArray[np.float64] = (places[0] - self._mean) / self._std
        return normalised
