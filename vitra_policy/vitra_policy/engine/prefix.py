"""Image, instruction and field of view to the cognition feature, with what depends on the words alone remembered."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vitra_policy.engine.linear import Linears, Wrap
from vitra_policy.engine.stage import Stage, plain_stage
from vitra_policy.engine.trunk import FastTrunk
from vitra_policy.engine.vision import FastVision
from vitra_policy.errors import VitraError
from vitra_policy.model.siglip import Siglip
from vitra_policy.model.vla import Vitra


class UnsupportedTowerError(VitraError):
    """An image tower that an engine does not run."""


_REMEMBERED = 16


class FastPrefix(nn.Module):
    """Vision and trunk, prepared for one device and number format.

    Args:
        model: The network, fp32; its word embedding stays where it is and is read there.
        linears: Makes the linear layers.
        wrap: Applied to layer functions, e.g. ``torch.compile``.
        stage: Applied to the whole, e.g. :class:`OpenVinoStage`.
        bucket: The tokens behind the image are padded to a multiple of this, so that one recorded graph serves
            instructions of similar length; 1 pads nothing.
    """

    def __init__(self, model: Vitra, linears: Linears, wrap: Wrap, stage: Stage = plain_stage, bucket: int = 1) -> None:
        super().__init__()
        if not isinstance(model.vision, Siglip) or not isinstance(model.projector, nn.Linear):
            raise UnsupportedTowerError(f"The fast engine runs SigLIP towers; '{model.config.name}' needs mode=parity.")
        self.vision = FastVision(model.vision, model.projector, linears, wrap)
        self.trunk = FastTrunk(model.language, linears, wrap)
        self.precision, self._see = linears.precision, stage(self.see, varying=("tail", "cos", "sin"))
        self._words, self._fov, self._cognition = model.language.embedding, model.fov_encoder, model.cognition_token
        self._device, self._bucket = linears.device, bucket
        self._tails: dict[tuple[tuple[int, ...], bytes], tuple[Tensor, Tensor, Tensor | None]] = {}

    def tail(self, text_ids: Sequence[int], fov_rad: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Everything after the image tokens.

        Args:
            text_ids: ``[<bos>, instruction, newline]``.
            fov_rad: (1, 2) on the CPU.

        Returns:
            Scaled embeddings (T, width), index (1,) of the cognition token in the whole sequence, and an additive
            attention bias (N,) over the whole sequence or None when nothing is padded.
        """
        key = tuple(text_ids), fov_rad.numpy().tobytes()
        if key not in self._tails:
            if len(self._tails) >= _REMEMBERED:
                self._tails.clear()
            self._tails[key] = self._make_tail(text_ids, fov_rad)
        return self._tails[key]

    def forward(self, pixel_values: Tensor, tail: Tensor, row: Tensor, bias: Tensor | None = None) -> Tensor:
        """Cognition feature (1, 1, width) of (1, 3, size, size) and what :meth:`tail` returned."""
        cos, sin = self.trunk.rotary(len(self.vision.offset) + len(tail))
        feature: Tensor = self._see(pixel_values=pixel_values, tail=tail, row=row, cos=cos, sin=sin, bias=bias)
        return feature

    def see(
        self, pixel_values: Tensor, tail: Tensor, row: Tensor, cos: Tensor, sin: Tensor, bias: Tensor | None
    ) -> Tensor:
        """The same with the trunk's rotary tables, by PyTorch."""
        feature: Tensor = self.trunk(torch.cat([self.vision(pixel_values), tail]), row, bias, (cos, sin))
        return feature

    def _make_tail(self, text_ids: Sequence[int], fov_rad: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        home = self._words.weight.device
        parts = [self._words(torch.tensor(text_ids, device=home)).float()]
        if self._fov is not None:
            parts.append(self._fov(fov_rad.to(home)).float()[0])
        parts.append(self._cognition[None].float())
        tail = torch.cat(parts) * self.trunk.config.width**0.5
        used = len(self.vision.offset) + len(tail)
        padding = -len(tail) % self._bucket
        row = torch.tensor([used - 1], device=self._device)
        if self._bucket == 1:
            return tail.to(self._device), row, None
        bias = torch.zeros(used + padding)
        bias[used:] = -torch.inf
        return nn.functional.pad(tail, (0, 0, 0, padding)).to(self._device), row, bias.to(self._device)
