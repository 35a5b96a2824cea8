"""The prefix of a network too large to prepare on a CPU: computed layer by layer on weights mapped from the file."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vitra_policy.engine.linear import Precision
from vitra_policy.model.vla import Vitra

LARGE = 500_000_000
"""Parameters from which a CPU takes longer to compile a network than to run it many times."""


class StreamedPrefix(nn.Module):
    """What :class:`vitra_policy.engine.prefix.FastPrefix` offers, without a copy of the weights.

    Args:
        model: The network, computing in fp32.
        bf16: Multiply in bf16, where the processor does so natively; sums, norms and the residual stream stay fp32.
    """

    def __init__(self, model: Vitra, bf16: bool) -> None:
        super().__init__()
        self._model = [model]  # not a child: its weights are not this module's
        self._bf16, self.precision = bf16, Precision.BF16 if bf16 else Precision.FULL

    def tail(self, text_ids: Sequence[int], fov_rad: Tensor) -> tuple[Tensor, Tensor, None]:
        """What :meth:`forward` wants besides pixels: token ids (1, T) and field of view (1, 2)."""
        return torch.tensor([list(text_ids)]), fov_rad, None

    def forward(self, pixel_values: Tensor, text_ids: Tensor, fov_rad: Tensor, bias: None = None) -> Tensor:
        """Cognition feature (1, 1, width) of (1, 3, size, size) and what :meth:`tail` returned.

        Args:
            pixel_values: (1, 3, size, size) in [-1, 1].
            text_ids: (1, T).
            fov_rad: (1, 2).
            bias: None; nothing is padded here.
        """
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bf16):
            feature: Tensor = self._model[0].cognition(pixel_values, text_ids, fov_rad)
        return feature.float()


def is_large(model: Vitra) -> bool:
    """Whether a network should be streamed on a CPU."""
    return sum(weight.numel() for weight in model.parameters()) >= LARGE
