"""One question to a network: what was seen, what may move, and how to denoise; the same for every engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChunkRequest:
    """What an engine makes chunks for; arrays are checked against the network by `model.inputs.chunk_inputs`.

    Attributes:
        image: Camera image (H, W, 3), RGB, uint8, any size.
        instruction: ``Left hand: ... Right hand: ...`` (see :func:`vitra_policy.prompt.format_instruction`).
        fov: Full horizontal and vertical field of view of ``image``, (2,) or (1, 2), radians.
        state: (212,) normalised hand state, or None when unknown.
        state_mask: (212,) bool, valid state dimensions; None when the state is unknown.
        action_mask: (16, 192) bool, valid action dimensions per step.
        noise: (S, 16, 192) standard normal start of the diffusion, or None to draw ``samples`` of it.
        samples: S when noise is drawn.
        seed: Seed of the drawn noise; None draws from torch's global generator.
        steps: DDIM steps, one of the configuration's legal numbers (10 as published).
        guidance: Classifier-free guidance scale; 1 switches it off.
        prefix: (d, 192) normalised actions that are already committed and open the chunk, or None.
        prefix_dims: (192,) bool, dimensions the prefix holds for, or None for all.
        places: Normalised places that are told instead of seen, for a network that says places; the trunk is left out.
        clean_prefix: The network was trained with clean prefixes (see :class:`vitra_policy.model.sampling.Prefix`).
    """

    image: NDArray[np.uint8]
    instruction: str
    fov: ArrayLike
    action_mask: ArrayLike
    state: ArrayLike | None = None
    state_mask: ArrayLike | None = None
    noise: ArrayLike | None = None
    samples: int = 1
    seed: int | None = None
    steps: int = 10
    guidance: float = 5.0
    prefix: ArrayLike | None = None
    prefix_dims: ArrayLike | None = None
    places: ArrayLike | None = None
    clean_prefix: bool = False
