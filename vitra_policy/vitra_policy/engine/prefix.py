"""Image, instruction and field of view to the cognition feature, with what depends on the words alone remembered."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vitra_policy.engine.linear import Linears, Wrap
from vitra_policy.engine.stage import Stage, plain_stage
from vitra_policy.engine.tail import Tails
from vitra_policy.engine.trunk import FastTrunk
from vitra_policy.engine.vision import FastVision
from vitra_policy.errors import VitraError
from vitra_policy.model.siglip import Siglip
from vitra_policy.model.vla import Vitra


class UnsupportedTowerError(VitraError):
    """An image tower that an engine does not run."""


class FastPrefix(nn.Module):
    """Vision and trunk, prepared for one device and number format.

    Args:
        model: The network, fp32; its word embedding stays where it is and is read there.
        linears: Makes the linear layers.
        wrap: Applied to layer functions, e.g. ``torch.compile``.
        stage: Applied to the whole, e.g. :class:`OpenVinoStage`.
        bucket: The tokens behind the image are padded to a multiple of this; 1 pads nothing.
    """

    def __init__(self, model: Vitra, linears: Linears, wrap: Wrap, stage: Stage = plain_stage, bucket: int = 1) -> None:
        super().__init__()
        if not isinstance(model.vision, Siglip) or not isinstance(model.projector, nn.Linear):
            raise UnsupportedTowerError(
                f"This engine runs SigLIP towers; '{model.config.name}' needs mode=fast or parity."
            )
        self.vision = FastVision(model.vision, model.projector, linears, wrap)
        self.trunk = FastTrunk(model.language, linears, wrap)
        self.precision, self._see = linears.precision, stage(self.see, varying=("tail", "cos", "sin"))
        self._tails = Tails(model, len(self.vision.offset), linears.device, bucket)

    def tail(self, text_ids: Sequence[int], fov_rad: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Everything after the image tokens; see :class:`vitra_policy.engine.tail.Tails`.

        Args:
            text_ids: Of the instruction.
            fov_rad: (1, 2).
        """
        return self._tails(text_ids, fov_rad)

    def forward(self, pixel_values: Tensor, tail: Tensor, row: Tensor, bias: Tensor | None = None) -> Tensor:
        """Cognition feature (1, 1, width) of (1, 3, size, size) and what :meth:`tail` returned.

        Args:
            pixel_values: (1, 3, size, size) in [-1, 1].
            tail: Embeddings behind the image tokens.
            row: Number (1,) of the cognition token.
            bias: Added to the scores (N,); None: no padding.
        """
        cos, sin = self.trunk.rotary(len(self.vision.offset) + len(tail))
        feature: Tensor = self._see(pixel_values=pixel_values, tail=tail, row=row, cos=cos, sin=sin, bias=bias)
        return feature

    def see(
        self, pixel_values: Tensor, tail: Tensor, row: Tensor, cos: Tensor, sin: Tensor, bias: Tensor | None
    ) -> Tensor:
        """The same with the trunk's rotary tables, by PyTorch.

        Args:
            pixel_values: (1, 3, size, size) in [-1, 1].
            tail: Embeddings behind the image tokens.
            row: Number (1,) of the cognition token.
            cos: Of the rotary embedding (N, 1, head_dim).
            sin: Of the rotary embedding (N, 1, head_dim).
            bias: Added to the scores (N,); None: no padding.
        """
        feature: Tensor = self.trunk(torch.cat([self.vision(pixel_values), tail]), row, bias, (cos, sin))
        return feature
