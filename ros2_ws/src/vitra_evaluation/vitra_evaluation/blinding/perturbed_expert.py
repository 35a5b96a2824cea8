"""The scripted expert with wrong beliefs, a baseline for practice: it believes that things stand somewhere else."""

from __future__ import annotations

import dataclasses

import numpy as np

from vitra_policy.policies.policy import SIM_OBJECT_POSES, ActionChunk, Observation, Policy, PolicyMetadata
from vitra_policy.policies.registry import PolicyOptionError, create_policy

_MOST_M = 1.0


class PerturbedExpert:
    """Shifts the target's pose by a fixed distance in a direction drawn anew for every run.

    Args:
        expert: the policy to mislead.
        noise_m: distance of the shift, in the table plane.
        seed: of the directions.
    """

    def __init__(self, expert: Policy, noise_m: float, seed: int) -> None:
        self._expert, self._noise_m, self._rng = expert, noise_m, np.random.default_rng(seed)
        self._metadata = dataclasses.replace(expert.metadata, policy_id="perturbed_expert")
        self._shift_m = np.zeros(3)

    @property
    def metadata(self) -> PolicyMetadata:
        """As the expert's."""
        return self._metadata

    def warm_up(self) -> None:
        """Warm the expert."""
        self._expert.warm_up()

    def reset(self) -> None:
        """Draw a new direction."""
        angle = self._rng.uniform(-np.pi, np.pi)
        self._shift_m = self._noise_m * np.array([np.cos(angle), np.sin(angle), 0.0])
        self._expert.reset()

    def infer(self, observation: Observation) -> ActionChunk:
        """The expert's answer to a misplaced target."""
        poses = np.array(observation.extras[SIM_OBJECT_POSES], dtype=np.float64)
        poses[0, :3, 3] += self._shift_m
        misled = dataclasses.replace(observation, extras={**observation.extras, SIM_OBJECT_POSES: poses})
        return dataclasses.replace(self._expert.infer(misled), policy_id=self._metadata.policy_id)

    def close(self) -> None:
        """Close the expert."""
        self._expert.close()


def make_perturbed_expert(noise_m: str = "0.03", seed: str = "0", calibration: str = "sim") -> PerturbedExpert:
    """By its options; entry point `perturbed_expert` of `vitra_policy.policies`.

    Args:
        noise_m: Standard deviation of its beliefs, as text.
        seed: Of the errors.
        calibration: Name or path.

    Raises:
        PolicyOptionError: a noise that no trial could be made with.
    """
    if not 0.0 <= (noise := float(noise_m)) <= _MOST_M:
        raise PolicyOptionError(f"noise_m={noise_m}: give metres from 0 to {_MOST_M:g}.")
    return PerturbedExpert(create_policy("expert", {"calibration": calibration}), noise, int(seed))
