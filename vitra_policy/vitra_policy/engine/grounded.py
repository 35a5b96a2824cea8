"""The fast engine's way from image to cognition feature where keypoints come out of a small tower's feature map."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from vitra_policy.engine.linear import Linears, Wrap
from vitra_policy.engine.stage import Stage, plain_stage
from vitra_policy.engine.tail import Tails
from vitra_policy.engine.trunk import FastTrunk
from vitra_policy.model.efficientnet import EfficientNetLite0
from vitra_policy.model.grounding import Grounding
from vitra_policy.model.vla import Vitra


class GroundedPrefix(nn.Module):
    """Tower, grounding and trunk; arguments and methods are those of `vitra_policy.engine.prefix.FastPrefix`.

    Nothing is padded, since the grounding reads the words too. Convolutions run in fp32 as the network has them; the
    trunk has the number format of its linear layers.
    """

    def __init__(self, model: Vitra, linears: Linears, wrap: Wrap, stage: Stage = plain_stage) -> None:
        super().__init__()
        assert isinstance(model.vision, EfficientNetLite0)
        assert isinstance(model.projector, Grounding)
        device = linears.device
        self.vision = deepcopy(model.vision).requires_grad_(False).to(device)
        self.grounding = deepcopy(model.projector).requires_grad_(False).to(device)
        self.places = deepcopy(model.places)
        if self.places is not None:
            self.places.requires_grad_(False).to(device)
        self.trunk = FastTrunk(model.language, linears, wrap)
        self.precision = linears.precision
        self._keypoints, self._width = model.config.grounding.keypoints, model.config.language.width
        self._behind = 1 + model.config.use_fov
        self._tails = Tails(model, self._keypoints, device)
        self._see = stage(self.see, varying=("tail", "cos", "sin"))

    def tail(self, text_ids: Sequence[int], fov_rad: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Everything after the image tokens.

        Args:
            text_ids: Of the instruction.
            fov_rad: (1, 2).
        """
        return self._tails(text_ids, fov_rad)

    def forward(self, pixel_values: Tensor, tail: Tensor, row: Tensor, bias: Tensor | None = None) -> Tensor:
        """Cognition feature (1, 1, width) of (1, 3, height, width) and what :meth:`tail` returned.

        Args:
            pixel_values: (1, 3, height, width) in [-1, 1].
            tail: Embeddings behind the image tokens.
            row: Number (1,) of the cognition token.
            bias: Added to the scores (N,); None: no padding.
        """
        cos, sin = self.trunk.rotary(self._keypoints + len(tail))
        feature: Tensor = self._see(pixel_values=pixel_values, tail=tail, row=row, cos=cos, sin=sin, bias=bias)
        return feature

    def see(
        self, pixel_values: Tensor, tail: Tensor, row: Tensor, cos: Tensor, sin: Tensor, bias: Tensor | None
    ) -> Tensor:
        """The same with the trunk's rotary tables, by PyTorch.

        Args:
            pixel_values: (1, 3, height, width) in [-1, 1].
            tail: Embeddings behind the image tokens.
            row: Number (1,) of the cognition token.
            cos: Of the rotary embedding (N, 1, head_dim).
            sin: Of the rotary embedding (N, 1, head_dim).
            bias: Added to the scores (N,); None: no padding.
        """
        words = tail[: -self._behind] / self._width**0.5
        tokens = self.grounding(self.vision(pixel_values), words[None], None)[0]
        feature: Tensor = self.trunk(torch.cat([tokens, tail]), row, bias, (cos, sin))
        return feature if self.places is None else self.places.joined(feature, self.places(tokens[None]))
