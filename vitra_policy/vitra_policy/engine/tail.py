"""What follows the image tokens in the trunk's sequence: words, field of view and the cognition token, remembered."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vitra_policy.model.vla import Vitra

_REMEMBERED = 16


class Tails:
    """Tails of instructions, made once.

    Args:
        model: The network, fp32; its word embedding stays where it is and is read there.
        image_tokens: How many tokens come before.
        device: Where tails are needed.
        bucket: Tails are padded to a multiple of this, so that one recorded graph serves instructions of similar
            length; 1 pads nothing.
    """

    def __init__(self, model: Vitra, image_tokens: int, device: torch.device, bucket: int = 1) -> None:
        self._words, self._fov, self._cognition = model.language.embedding, model.fov_encoder, model.cognition_token
        self._scale = model.config.language.width**0.5
        self._image_tokens, self._device, self._bucket = image_tokens, device, bucket
        self._made: dict[tuple[tuple[int, ...], bytes], tuple[Tensor, Tensor, Tensor | None]] = {}

    def __call__(self, text_ids: Sequence[int], fov_rad: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """The tail of ``[<bos>, instruction, newline]`` and a field of view (1, 2) on the CPU.

        Returns:
            Scaled embeddings (T, width), index (1,) of the cognition token in the whole sequence, and an additive
            attention bias (N,) over the whole sequence or None when nothing is padded.
        """
        key = tuple(text_ids), fov_rad.numpy().tobytes()
        if key not in self._made:
            if len(self._made) >= _REMEMBERED:
                self._made.clear()
            self._made[key] = self._make(text_ids, fov_rad)
        return self._made[key]

    def _make(self, text_ids: Sequence[int], fov_rad: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        home = self._words.weight.device
        parts = [self._words(torch.tensor(text_ids, device=home)).float()]
        if self._fov is not None:
            parts.append(self._fov(fov_rad.to(home)).float()[0])
        parts.append(self._cognition[None].float())
        tail = torch.cat(parts) * self._scale
        used = self._image_tokens + len(tail)
        padding = -len(tail) % self._bucket
        row = torch.tensor([used - 1], device=self._device)
        if self._bucket == 1:
            return tail.to(self._device), row, None
        bias = torch.zeros(used + padding)
        bias[used:] = -torch.inf
        return nn.functional.pad(tail, (0, 0, 0, padding)).to(self._device), row, bias.to(self._device)
