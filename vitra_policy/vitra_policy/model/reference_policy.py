"""The policy in parity mode: fp32, the reference's arithmetic in the reference's order, every engine's yardstick."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from vitra_policy.model.config import VitraConfig
from vitra_policy.model.inputs import chunk_inputs, prefix_inputs
from vitra_policy.model.sampling import Prefix
from vitra_policy.model.stored import computes_in_fp32
from vitra_policy.model.vla import Vitra
from vitra_policy.statistics import Statistics
from vitra_policy.tokenizer import Tokenizer

Float32Array = NDArray[np.float32]


class VitraEngine(Protocol):
    """What every engine offers, whatever it runs on."""

    config: VitraConfig
    statistics: Statistics | None

    @property
    def timing(self) -> Mapping[str, float]:
        """Seconds per stage of the last :meth:`predict`."""
        ...

    def cognition(self, image: NDArray[np.uint8], instruction: str, fov: ArrayLike) -> Float32Array:
        """See :meth:`ReferencePolicy.cognition`."""
        ...

    def predict(
        self,
        *,
        image: NDArray[np.uint8],
        instruction: str,
        fov: ArrayLike,
        state: ArrayLike | None = None,
        state_mask: ArrayLike | None = None,
        action_mask: ArrayLike,
        noise: ArrayLike | None = None,
        samples: int = 1,
        seed: int | None = None,
        steps: int = 10,
        guidance: float = 5.0,
        prefix: ArrayLike | None = None,
        prefix_dims: ArrayLike | None = None,
        clean_prefix: bool = False,
    ) -> Float32Array:
        """See :meth:`ReferencePolicy.predict`."""
        ...


class ReferencePolicy:
    """A network with its tokenizer and statistics, run eagerly in fp32."""

    def __init__(
        self, model: Vitra, tokenizer: Tokenizer, statistics: Statistics | None, device: torch.device | str = "cpu"
    ) -> None:
        self.config = model.config
        self.statistics = statistics
        self.tokenizer = tokenizer
        self.device = torch.device(device)
        self.model = computes_in_fp32(model).to(self.device).eval()
        self.timing: dict[str, float] = {}
        """Seconds per stage of the last :meth:`predict`."""

    @torch.inference_mode()
    def cognition(self, image: NDArray[np.uint8], instruction: str, fov: ArrayLike) -> Float32Array:
        """Cognition feature of one observation.

        Args:
            image: Camera image (H, W, 3), RGB, uint8, any size; all preprocessing happens here.
            instruction: ``Left hand: ... Right hand: ...`` (see :func:`vitra_policy.prompt.format_instruction`).
            fov: Full horizontal and vertical field of view of ``image``, (2,) or (1, 2), radians.

        Returns:
            (1, 1, width) float32.
        """
        feature: Float32Array = self._cognition(image, instruction, fov).cpu().numpy()
        return feature

    @torch.inference_mode()
    def predict(
        self,
        *,
        image: NDArray[np.uint8],
        instruction: str,
        fov: ArrayLike,
        state: ArrayLike | None = None,
        state_mask: ArrayLike | None = None,
        action_mask: ArrayLike,
        noise: ArrayLike | None = None,
        samples: int = 1,
        seed: int | None = None,
        steps: int = 10,
        guidance: float = 5.0,
        prefix: ArrayLike | None = None,
        prefix_dims: ArrayLike | None = None,
        clean_prefix: bool = False,
    ) -> Float32Array:
        """Normalised action chunks for one observation; denormalise with :attr:`statistics`.

        Args:
            image: Camera image (H, W, 3), RGB, uint8, any size.
            instruction: ``Left hand: ... Right hand: ...``.
            fov: Full horizontal and vertical field of view of ``image``, (2,) or (1, 2), radians.
            state: (212,) normalised hand state, or None when unknown.
            state_mask: (212,) bool, valid state dimensions; None when the state is unknown.
            action_mask: (16, 192) bool, valid action dimensions per step.
            noise: (S, 16, 192) standard normal start of the diffusion, or None to draw ``samples`` of it.
            samples: S when noise is drawn.
            seed: Seed of the drawn noise; None draws from torch's global generator.
            steps: DDIM steps, one of ``config``'s legal numbers (10 as published).
            guidance: Classifier-free guidance scale; 1 switches it off.
            prefix: (d, 192) normalised actions that are already committed and open the chunk, or None.
            prefix_dims: (192,) bool, dimensions the prefix holds for, or None for all.
            clean_prefix: The network was trained with clean prefixes (see :class:`vitra_policy.model.sampling.Prefix`).

        Returns:
            (S, 16, 192) float32, 0 where ``action_mask`` is False.

        Raises:
            ImageError, ShapeMismatchError, DdimStepsError: An input does not fit.
        """
        inputs = chunk_inputs(self.config, state, state_mask, action_mask, noise, samples, seed, self.device)
        rows = len(inputs.noise)
        committed = None
        if prefix is not None:
            head = torch.from_numpy(np.array(prefix, dtype=np.float32)).to(self.device)
            dims = None if prefix_dims is None else torch.from_numpy(np.array(prefix_dims, dtype=bool)).to(self.device)
            committed = Prefix(head.expand(rows, -1, -1), clean_prefix, dims)
        started_s = time.perf_counter()
        feature = self._cognition(image, instruction, fov)
        seen_s = time.perf_counter()
        actions = self.model.denoise(
            feature.expand(rows, -1, -1),
            inputs.noise,
            inputs.state,
            inputs.state_mask,
            inputs.action_mask,
            steps=steps,
            guidance=guidance,
            prefix=committed,
        )
        chunk: Float32Array = actions.cpu().numpy()
        self.timing = {"prefix": seen_s - started_s, "denoise": time.perf_counter() - seen_s}
        return chunk

    def _cognition(self, image: NDArray[np.uint8], instruction: str, fov: ArrayLike) -> Tensor:
        inputs = prefix_inputs(self.config, self.tokenizer, image, instruction, fov, self.device)
        with torch.backends.cudnn.flags(allow_tf32=False):  # convolutions would otherwise round to 10 bits on a GPU
            return self.model.cognition(inputs.pixel_values, inputs.text_ids, inputs.fov_rad, all_rows=True)
