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
from vitra_policy.model.request import ChunkRequest
from vitra_policy.model.sampling import Denoising, Prefix
from vitra_policy.model.stored import computes_in_fp32
from vitra_policy.model.vla import Vitra, told_cognition
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
        """See :meth:`ReferencePolicy.cognition`.

        Args:
            image: (H, W, 3) RGB uint8.
            instruction: Formatted, both hands.
            fov: Field of view (2,) or (1, 2), radians.
        """
        ...

    def predict(self, request: ChunkRequest) -> Float32Array:
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
    def predict(self, request: ChunkRequest) -> Float32Array:
        """Normalised action chunks for one observation; denormalise with :attr:`statistics`.

        Returns:
            (S, 16, 192) float32, 0 where the request's ``action_mask`` is False.

        Raises:
            ImageError, ShapeMismatchError, DdimStepsError: An input does not fit.
        """
        inputs = chunk_inputs(self.config, request, self.device)
        rows = len(inputs.noise)
        committed = None
        if request.prefix is not None:
            head = torch.from_numpy(np.array(request.prefix, dtype=np.float32)).to(self.device)
            dims = None
            if request.prefix_dims is not None:
                dims = torch.from_numpy(np.array(request.prefix_dims, dtype=bool)).to(self.device)
            committed = Prefix(head.expand(rows, -1, -1), request.clean_prefix, dims)
        started_s = time.perf_counter()
        if request.places is None:
            feature = self._cognition(request.image, request.instruction, request.fov)
        else:
            feature = told_cognition(self.model, torch.from_numpy(np.array(request.places, dtype=np.float32)))
        seen_s = time.perf_counter()
        actions = self.model.denoise(
            inputs.conditions(feature),
            inputs.noise,
            Denoising(request.steps, request.guidance, committed),
        )
        chunk: Float32Array = actions.cpu().numpy()
        self.timing = {"prefix": seen_s - started_s, "denoise": time.perf_counter() - seen_s}
        return chunk

    def _cognition(self, image: NDArray[np.uint8], instruction: str, fov: ArrayLike) -> Tensor:
        inputs = prefix_inputs(self.config, self.tokenizer, image, instruction, fov, self.device)
        with torch.backends.cudnn.flags(allow_tf32=False):  # convolutions would otherwise round to 10 bits on a GPU
            return self.model.cognition(inputs.pixel_values, inputs.text_ids, inputs.fov_rad, all_rows=True)
