"""From what a camera and a robot deliver to the tensors of the network; shared by every engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from vitra_policy.action_space import ShapeMismatchError
from vitra_policy.image import pixel_values, resized_pixel_values
from vitra_policy.model.config import VitraConfig
from vitra_policy.model.request import ChunkRequest
from vitra_policy.model.sampling import Conditions
from vitra_policy.tokenizer import Tokenizer, text_ids


@dataclass(frozen=True, slots=True)
class PrefixInputs:
    """Inputs of the trunk, batch 1."""

    pixel_values: Tensor
    """(1, 3, height, width) float32 in [-1, 1]."""
    text_ids: Tensor
    """(1, T) int64."""
    fov_rad: Tensor
    """(1, 2) float32."""


@dataclass(frozen=True, slots=True)
class ChunkInputs:
    """Inputs of the expert, batch S."""

    noise: Tensor
    """(S, steps, action_dim) float32."""
    state: Tensor
    """(S, state_dim) float32, 0 where masked."""
    state_mask: Tensor
    """(S, state_dim) bool."""
    action_mask: Tensor
    """(S, steps, action_dim) bool."""

    def conditions(self, cognition: Tensor) -> Conditions:
        """What the chunks are drawn under, with the cognition feature (1, 1, width) of the observation."""
        rows = cognition.expand(len(self.noise), -1, -1)
        return Conditions(rows, self.state, self.state_mask, self.action_mask)


def prefix_inputs(
    config: VitraConfig,
    tokenizer: Tokenizer,
    image: NDArray[np.uint8],
    instruction: str,
    fov: ArrayLike,
    device: torch.device | str = "cpu",
) -> PrefixInputs:
    """Image (H, W, 3) uint8, instruction and field of view (2,) or (1, 2) in radians as tensors.

    Args:
        config: Sizes of the network.
        tokenizer: Of the checkpoint.
        image: What the camera saw.
        instruction: Formatted, both hands.
        fov: Horizontal and vertical.
        device: Where the tensors go.

    Raises:
        ImageError: The image is not (H, W, 3) uint8.
        ShapeMismatchError: The field of view is not two numbers.
    """
    fov_rad = np.asarray(fov, dtype=np.float32)
    if fov_rad.size != 2:
        raise ShapeMismatchError("fov", fov_rad.shape, "(2,): horizontal and vertical angle in radians")
    return PrefixInputs(
        torch.from_numpy(_pixel_values(config, image))[None].to(device),
        torch.tensor([text_ids(instruction, tokenizer, config.tokenizer)], device=device),
        torch.from_numpy(fov_rad.reshape(1, 2)).to(device),
    )


def _pixel_values(config: VitraConfig, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    if config.vision.kind == "siglip":
        return pixel_values(image, config.vision.image_size)
    return resized_pixel_values(image, config.vision.image_shape)


def chunk_inputs(config: VitraConfig, request: ChunkRequest, device: torch.device | str = "cpu") -> ChunkInputs:
    """State (state_dim,), masks and noise (S, steps, action_dim) as tensors; absent noise is drawn.

    Args:
        config: Sizes of the network.
        request: State, masks, noise or seed.
        device: Where the tensors go.

    Raises:
        ShapeMismatchError: An array does not fit the network.
    """
    cfg = config.expert
    chunk_shape = (cfg.steps, cfg.action_dim)
    state, state_mask = request.state, request.state_mask
    if request.noise is None:
        generator = torch.Generator().manual_seed(request.seed) if request.seed is not None else None
        drawn = torch.randn(request.samples, *chunk_shape, generator=generator)
    else:
        drawn = torch.from_numpy(np.array(request.noise, dtype=np.float32))
        if drawn.shape[1:] != chunk_shape:
            raise ShapeMismatchError("noise", tuple(drawn.shape), f"(S, {cfg.steps}, {cfg.action_dim})")
    known = np.zeros(cfg.state_dim, bool) if state is None or state_mask is None else np.asarray(state_mask, bool)
    values = np.zeros(cfg.state_dim) if state is None else np.asarray(state, dtype=np.float32)
    valid = np.asarray(request.action_mask, dtype=bool)
    for what, got, expected in (
        ("state", values.shape, (cfg.state_dim,)),
        ("state_mask", known.shape, (cfg.state_dim,)),
        ("action_mask", valid.shape, chunk_shape),
    ):
        if got != expected:
            raise ShapeMismatchError(what, got, str(expected))
    rows = len(drawn)
    known_rows = torch.from_numpy(known.copy()).to(device).expand(rows, -1)
    state_rows = torch.from_numpy(np.where(known, values, 0).astype(np.float32)).to(device).expand(rows, -1)
    valid_rows = torch.from_numpy(valid.copy()).to(device).expand(rows, -1, -1)
    return ChunkInputs(drawn.to(device), state_rows, known_rows, valid_rows)
