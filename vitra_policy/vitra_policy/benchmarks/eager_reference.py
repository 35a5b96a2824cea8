"""The yardstick: a plain eager fp32 loop with the structure of the published inference, wasted work included.

Same weights and same answer as the policy, but: one framework call per operation, the vocabulary head on every
token, a full attention mask, the conditioning and the state embedded anew in each step, and the sampler of
guided diffusion with its tables uploaded at every look-up (docs/model.md: Cost).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vitra_policy.model.vla import Vitra

_LOGIT_CAP = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceInputs:
    """Preprocessed inputs, shapes as in the policy, without batches."""

    pixel_values: NDArray[np.float32]
    """(3, height, width) in [-1, 1]."""
    text_ids: Sequence[int]
    fov_rad: Sequence[float]
    """Horizontal and vertical."""
    state: NDArray[np.float32]
    """(state_dim,)."""
    state_mask: NDArray[np.bool_]
    """(state_dim,)."""
    action_mask: NDArray[np.bool_]
    """(T, action_dim)."""
    noise: NDArray[np.float32]
    """(S, T, action_dim)."""


class EagerReference:
    """Runs a network as the published code does.

    Args:
        model: The network in fp32, on the device to run on.
    """

    def __init__(self, model: Vitra) -> None:
        self._model = model
        self._device = model.cognition_token.device

    @torch.inference_mode()
    def predict(self, asked: ReferenceInputs, steps: int = 10, guidance: float = 5.0) -> NDArray[np.float32]:
        """Normalised actions (S, T, action_dim) of preprocessed inputs.

        Args:
            asked: What is seen, known and allowed.
            steps: Denoising steps.
            guidance: Classifier-free guidance scale.
        """
        samples = len(asked.noise)
        fov_rad = self._send(np.array([asked.fov_rad])).float()
        cognition = self._cognition(self._send(asked.pixel_values)[None], asked.text_ids, fov_rad)
        cognition = cognition.repeat(samples, 1, 1)
        null = self._model.expert.unconditional.expand(samples, 1, -1)
        inputs = (
            torch.cat([cognition, null]),
            self._send(asked.state)[None].repeat(2 * samples, 1),
            self._send(asked.state_mask)[None].repeat(2 * samples, 1),
            self._send(asked.action_mask)[None].repeat(2 * samples, 1, 1),
        )
        x = torch.cat([self._send(asked.noise)] * 2)
        alphas = self._model.diffusion.alphas()
        levels = [update.timestep for update in self._model.diffusion.ddim(steps)]
        for index, level in enumerate(levels):
            following = float(alphas[levels[index + 1]]) if index + 1 < len(levels) else 1.0
            x = self._sample_step(x, level, alphas, following, inputs, guidance)
        actions: NDArray[np.float32] = (x[:samples] * inputs[3][:samples]).cpu().numpy()
        return actions

    def _cognition(self, pixel_values: Tensor, text_ids: Sequence[int], fov_rad: Tensor) -> Tensor:
        model = self._model
        image_tokens = model.config.vision.tokens
        ids = torch.tensor([[0] * image_tokens + list(text_ids)], device=self._device)
        words = model.language.embedding(ids)
        features = model.image_features(model.vision(pixel_values), words)
        is_image = (torch.arange(ids.shape[1], device=self._device) < image_tokens)[None, :, None]
        embeddings = words.masked_scatter(is_image.expand_as(words), features)
        parts = [embeddings] if model.fov_encoder is None else [embeddings, model.fov_encoder(fov_rad)]
        embeddings = torch.cat([*parts, model.cognition_token.expand(1, 1, -1)], dim=1)
        valid = torch.ones(embeddings.shape[:2], dtype=torch.bool, device=self._device)
        hidden: Tensor = model.language(embeddings, valid)
        logits = F.linear(hidden, model.language.embedding.weight)  # computed and thrown away
        logits = (torch.tanh(logits / _LOGIT_CAP) * _LOGIT_CAP).float()
        last = valid.sum(dim=1) - 1
        return hidden[torch.arange(1, device=self._device), last][:, None]

    def _sample_step(
        self,
        x: Tensor,
        level: int,
        alphas: NDArray[np.float64],
        following: float,
        inputs: tuple[Tensor, Tensor, Tensor, Tensor],
        guidance: float,
    ) -> Tensor:
        """One DDIM step over both halves, by way of the predicted clean sample, as guided diffusion does it."""
        t = torch.tensor([level] * len(x), device=self._device)
        half = x[: len(x) // 2]
        eps = self._model.expert(torch.cat([half, half]), t, *inputs)
        conditional, unconditional = eps.split(len(half))
        guided = unconditional + guidance * (conditional - unconditional)
        eps = torch.cat([guided, guided])
        previous = np.append(1.0, alphas[:-1])
        betas = 1 - alphas / previous
        variance = self._table(betas, t, x)
        log_variance = self._table(np.log(np.maximum(betas, 1e-20)), t, x)
        clean = self._table(np.sqrt(1 / alphas), t, x) * x - self._table(np.sqrt(1 / alphas - 1), t, x) * eps
        mean = self._table(betas * np.sqrt(previous) / (1 - alphas + 1e-20), t, x) * clean
        mean = mean + self._table((1 - previous) * np.sqrt(1 - betas) / (1 - alphas + 1e-20), t, x) * x
        assert mean.shape == log_variance.shape == variance.shape
        eps = (self._table(np.sqrt(1 / alphas), t, x) * x - clean) / self._table(np.sqrt(1 / alphas - 1), t, x)
        bar, bar_previous = self._table(alphas, t, x), self._table(np.full(len(alphas), following), t, x)
        sigma = 0.0 * torch.sqrt((1 - bar_previous) / (1 - bar)) * torch.sqrt(1 - bar / bar_previous)
        nonzero = (t != 0).float().view(-1, *([1] * (x.ndim - 1)))
        moved = clean * torch.sqrt(bar_previous) + torch.sqrt(1 - bar_previous - sigma**2) * eps
        return moved + nonzero * sigma * torch.randn_like(x)

    def _table(self, values: NDArray[np.float64], t: Tensor, like: Tensor) -> Tensor:
        """Look-up that uploads its table each time."""
        found = torch.tensor(values, device=self._device)[t].float()
        while found.ndim < like.ndim:
            found = found[..., None]
        return found + torch.zeros(like.shape, device=self._device)

    def _send(self, array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)
