"""The `vitra` policy: observations of the robot to network numbers, and chunks back to metres and radians."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitra_policy.action_space import (
    ACTION_DIM,
    HAND,
    MODEL_ACTION_DIM,
    SIDES,
    FloatArray,
    Hands,
    action_mask,
    pad_action,
    pad_state,
    state_mask,
)
from vitra_policy.loading import MODES, find_checkpoint, load_policy
from vitra_policy.model.diffusion import Diffusion
from vitra_policy.model.request import ChunkRequest
from vitra_policy.policies.observation import active_hands
from vitra_policy.policies.policy import (
    ActionChunk,
    CommittedPrefix,
    InvalidObservationError,
    Observation,
    PolicyError,
    PolicyMetadata,
    make_example_observation,
)
from vitra_policy.policies.registry import PolicyOptionError
from vitra_policy.policies.true_places import TRUE_PLACES
from vitra_policy.statistics import AbsentHandError, Statistics

if TYPE_CHECKING:
    from vitra_policy.model.reference_policy import VitraEngine

_WARM_UP_RUNS = 2


@dataclass(frozen=True, slots=True)
class VitraSettings:
    """How chunks are sampled, and what the policy is called."""

    steps: int = 10
    """DDIM steps, one of the schedule's."""
    guidance: float = 5.0
    """Classifier-free guidance scale; 1 switches it off and halves the denoising."""
    threads: int = 0
    """CPU threads; 0 takes half of the processor, since threads that wait for each other while the robot's nodes hold
    the cores cost ten times what they save."""
    seed: int | None = None
    """Start every chunk from the same noise; None draws it anew."""
    step_s: float = 1 / 30
    """Duration of one step of the chunks."""
    policy_id: str = ""
    """Name in chunks and reports."""
    tokenizer: str | None = None
    """tokenizer.json, where the checkpoint does not bring one."""
    executed_steps: int = 0
    """See `PolicyMetadata.executed_steps`."""

    def check(self) -> None:
        """Refuse settings that cannot work, before anything is loaded.

        Raises:
            PolicyOptionError: names the setting and what is allowed.
            DdimStepsError: a number of steps that the schedule does not have.
        """
        Diffusion(100).ddim(self.steps)
        guidance, threads, seed, step_s = self.guidance, self.threads, self.seed, self.step_s
        complaints = {
            f"guidance is {guidance}; allowed are 1 to {_GUIDANCE_MAX:g}": not 1 <= guidance <= _GUIDANCE_MAX,
            f"threads is {threads}; allowed are 0 (automatic) to {_THREADS_MAX}": not 0 <= threads <= _THREADS_MAX,
            f"seed is {seed}; allowed are 0 to 2^63 - 1": seed is not None and not 0 <= seed <= _SEED_MAX,
            f"a step takes {step_s} s; allowed are 1 to 200 steps per second": not 1 / 200 <= step_s <= 1,
        }
        for complaint, holds in complaints.items():
            if holds:
                raise PolicyOptionError(f"Policy 'vitra': {complaint}.")


class VitraPolicy:
    """A VITRA checkpoint behind the policy interface.

    Args:
        checkpoint: Directory, ``.pt`` file or Hub repository; its configuration is read now, its weights by `warm_up`.
        mode: Engine, see `vitra_policy.loading.MODES`.
        device: ``auto``, ``cpu``, ``cuda``.
        settings: How it samples, and what it is called.
        told: Normalised places of an observation, for a network that is to be told where things are.
        options: Passed to the engine.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        mode: str = "fast",
        device: str = "auto",
        settings: VitraSettings | None = None,
        *,
        told: Callable[[Observation], FloatArray] | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        asked = settings or VitraSettings()
        asked.check()
        found = find_checkpoint(checkpoint, asked.tokenizer)
        if found.statistics is None:
            raise PolicyError(f"Checkpoint {checkpoint} has no dataset statistics, so its numbers mean nothing.")
        self._statistics: Statistics = found.statistics
        self._config = found.config
        self._load = partial(load_policy, checkpoint, mode, device=device, tokenizer=asked.tokenizer, **(options or {}))
        self._steps, self._guidance, self._threads, self._seed = asked.steps, asked.guidance, asked.threads, asked.seed
        self._engine: VitraEngine | None = None
        self._told = told
        self._metadata = PolicyMetadata(
            policy_id=asked.policy_id or f"vitra:{Path(checkpoint).name}",
            steps=found.config.expert.steps,
            step_s=asked.step_s,
            needs_extras=TRUE_PLACES if told else (),
            uses_committed=True,
            executed_steps=asked.executed_steps,
        )

    @property
    def metadata(self) -> PolicyMetadata:
        """What it is; it needs an image, and works without knowing the state."""
        return self._metadata

    def load(self) -> None:
        """Load the weights; enough for a single chunk, of which nobody minds that it is slower than the next.

        Raises:
            VitraError: The checkpoint cannot be loaded.
        """
        import torch

        torch.set_num_threads(self._threads or max((os.cpu_count() or 1) // 2, 1))
        if self._engine is None:
            self._engine = self._load()

    def warm_up(self) -> None:
        """Load the weights and answer a few made-up observations.

        Raises:
            VitraError: The checkpoint cannot be loaded.
        """
        self.load()
        present = self._statistics.present
        if not present:
            return
        seen = make_example_observation(hands=Hands("left" in present, "right" in present))
        kept = replace(seen, committed=CommittedPrefix(np.zeros((1, ACTION_DIM)), seen.hands))
        for _ in range(_WARM_UP_RUNS):
            self.infer(seen)
            self.infer(kept)

    def reset(self) -> None:
        """Nothing to forget: every chunk depends on its observation alone."""

    def close(self) -> None:
        """Let the weights go."""
        self._engine = None

    def infer(self, observation: Observation) -> ActionChunk:
        """The chunk for one observation.

        Raises:
            PolicyError: Called before `warm_up`.
            InvalidObservationError: No image, or no hand is asked to act.
            AbsentHandError: A hand is asked for that the training data never showed.
        """
        if self._engine is None:
            raise PolicyError(f"Policy '{self._metadata.policy_id}' has no weights yet; call warm_up() first.")
        hands = active_hands(observation.hands)
        if observation.image is None or not hands.active:
            raise InvalidObservationError("The vitra policy needs an image and at least one hand that is asked to act.")
        for side in hands.active:
            if side not in self._statistics.present:
                raise AbsentHandError(side, self._statistics.dataset, self._statistics.present)
        known = active_hands(observation.state_valid & [side in self._statistics.present for side in SIDES])
        committed = self._usable(observation.committed, hands)
        request = ChunkRequest(
            image=observation.image,
            instruction=observation.instruction,
            fov=observation.fov_rad,
            state=pad_state(self._statistics.normalise_state(observation.state)),
            state_mask=state_mask(known),
            action_mask=action_mask(hands, steps=self._metadata.steps),
            seed=self._seed,
            steps=self._steps,
            guidance=self._guidance,
            places=self._told(observation) if self._told else None,
            clean_prefix=self._config.clean_prefix,
            **self._prefix(committed),
        )
        normalised = self._engine.predict(request)
        actions = self._statistics.denormalise_action(normalised[0], hands)
        if committed is not None:
            for side, valid in zip(SIDES, committed.valid, strict=True):
                if valid and hands[side]:  # exact to the last bit, past the rounding of normalisation
                    actions[: committed.steps, HAND[side]] = committed.actions[:, HAND[side]]
        return ActionChunk(
            actions=actions.astype(np.float32),
            valid=observation.hands,
            step_s=self._metadata.step_s,
            policy_id=self._metadata.policy_id,
            timing=dict(self._engine.timing),
            committed_steps=0 if committed is None else committed.steps,
        )

    def _usable(self, committed: CommittedPrefix | None, hands: Hands) -> CommittedPrefix | None:
        """The prefix if it can be kept: at least one acting hand, and all of them where the prefix is given clean."""
        if committed is None or not committed.steps:
            return None
        held = [bool(valid) for side, valid in zip(SIDES, committed.valid, strict=True) if hands[side]]
        keeps = all(held) if self._config.clean_prefix else any(held)
        return CommittedPrefix(committed.actions[: self._metadata.steps], committed.valid) if keeps else None

    def _prefix(self, committed: CommittedPrefix | None) -> dict[str, Any]:
        """The engine's arguments for a committed prefix."""
        if committed is None:
            return {}
        dims = np.zeros(MODEL_ACTION_DIM, dtype=bool)
        dims[ACTION_DIM:] = True
        for side, valid in zip(SIDES, committed.valid, strict=True):
            dims[HAND[side]] = valid
        return {
            "prefix": pad_action(self._statistics.normalise_action(committed.actions)),
            "prefix_dims": None if self._config.clean_prefix else dims,
        }


_SEED_MAX, _GUIDANCE_MAX, _THREADS_MAX = 2**63 - 1, 100.0, 1024


def make_vitra_policy(
    checkpoint: str,
    mode: str = "fast",
    device: str = "auto",
    steps: str = "10",
    guidance: str = "5.0",
    threads: str = "0",
    seed: str = "",
    rate_hz: str = "30",
    fp8: str = "false",
    dtype: str = "auto",
    graphs: str = "",
    policy_id: str = "",
    tokenizer: str = "",
) -> VitraPolicy:
    """Factory of `vitra`; options come by name, as text.

    Args:
        checkpoint: Directory, ``.pt`` file or Hub repository.
        mode: Engine, see `vitra_policy.loading.MODES`.
        device: ``auto``, ``cpu``, ``cuda``.
        steps: DDIM steps.
        guidance: Classifier-free guidance scale; 1 switches it off.
        threads: CPU threads; 0 takes half of the processor.
        seed: Start every chunk from the same noise; empty: drawn anew.
        rate_hz: Steps of a chunk a second.
        fp8: ``true`` runs vision and trunk in fp8, for mode=fast.
        dtype: ``auto``, ``float32`` or ``bfloat16``, for mode=fast.
        graphs: Folder that `vitra-policy export-onnx` wrote, for mode=onnx.
        policy_id: Name in chunks and reports.
        tokenizer: tokenizer.json, where the checkpoint does not bring one.

    Raises:
        PolicyOptionError: An option is malformed.
        VitraError: A subclass names what is wrong with the checkpoint.
    """
    if mode not in MODES:
        raise PolicyOptionError(f"Policy 'vitra': mode must be one of {', '.join(MODES)}, got '{mode}'.")
    if fp8 not in ("true", "false") or (fp8 == "true" and mode != "fast"):
        raise PolicyOptionError("Policy 'vitra': fp8 must be true or false, and is for mode=fast.")
    options: dict[str, Any] = {"fp8": True} if fp8 == "true" else {}
    if graphs and mode != "onnx":
        raise PolicyOptionError("Policy 'vitra': graphs (a folder of vitra-policy export-onnx) is for mode=onnx.")
    if graphs:
        options["graphs"] = graphs
    if dtype != "auto":
        options["dtype"] = _dtype(dtype, mode)
    try:
        settings = VitraSettings(
            int(steps), float(guidance), int(threads), int(seed) if seed else None, 1 / float(rate_hz),
            policy_id, tokenizer or None,
        )  # fmt: skip
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise PolicyOptionError(f"Policy 'vitra': an option is no usable number: {error}.") from error
    return VitraPolicy(checkpoint, mode, device, settings, options=options)


def _dtype(name: str, mode: str) -> Any:
    import torch

    names = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    if name not in names or mode != "fast":
        raise PolicyOptionError("Policy 'vitra': dtype must be auto, float32 or bfloat16, and is for mode=fast.")
    return names[name]
