"""Networks whose large weights stay as they are stored, mapped from the file, while everything is computed in fp32."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from vitra_policy.model.vla import Vitra

_SMALL = 4_000_000
"""Elements up to which a weight is simply converted; the word embedding and the matrices of a large trunk are more."""


class _AsComputed(nn.Module):
    """fp32, or at once what autocast multiplies in: bf16 by way of fp32 is the same number, and two copies more."""

    def forward(self, stored: Tensor) -> Tensor:
        kind = stored.device.type
        return stored.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else stored.float()


def computes_in_fp32(model: Vitra, small: int | None = None) -> Vitra:
    """The network with every number read as fp32, whatever type the weights are stored in; changed in place.

    A large matrix of another type is converted each time it is used and the result dropped, so memory stays that of
    the file, whose pages the system reads when they are needed. The results are those of a network converted whole.

    Args:
        model: as loaded.
        small: elements up to which weights are converted once for all; by default 4 million.
    """
    small = _SMALL if small is None else small
    home = {id(part) for part in model.expert.modules()}
    for part in list(model.modules()):
        for name, weight in list(part.named_parameters(recurse=False)):
            if weight.dtype == torch.float32:
                continue
            if isinstance(part, nn.Linear) and name == "weight" and weight.numel() > small and id(part) not in home:
                parametrize.register_parametrization(part, name, _AsComputed(), unsafe=True)
            elif not (isinstance(part, nn.Embedding) and weight.numel() > small):  # rows are converted when looked up
                setattr(part, name, nn.Parameter(weight.detach().float(), requires_grad=False))
    return model


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Weights by parameter name, as they are stored."""
    return {name.replace("parametrizations.weight.original", "weight"): w for name, w in model.state_dict().items()}
