"""AdamW with a backbone and an expert group, and its state by parameter name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from vitra_training.training.config import OptimizerConfig
from vitra_training.training.schedule import Rates

_BACKBONE = ("projector.", "language.", "vision.")


def is_backbone(name: str) -> bool:
    """Whether a parameter of the network belongs to the pretrained vision-language model."""
    return name.startswith(_BACKBONE)


def is_decayed(name: str, parameter: Tensor, decay_cognition_token: bool) -> bool:
    """Whether weight decay applies: to matrices; in the reference the cognition token too (docs/model.md: Training).

    The unconditional feature and the positions are matrices in name only; the reference decays them, and so do we.

    Args:
        name: Of the parameter.
        parameter: Any shape.
        decay_cognition_token: Whether the cognition token is.
    """
    if name == "cognition_token":
        return decay_cognition_token
    return parameter.ndim > 1 and not name.endswith(".bias")


def make_optimizer(parameters: Iterable[tuple[str, nn.Parameter]], config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW over the trainable parameters, in up to four groups: backbone or expert, decayed or not.

    Args:
        parameters: names in the network and parameters; frozen ones are left out.
        config: decay rates.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    names: dict[tuple[bool, bool], list[str]] = {}
    for name, parameter in parameters:
        if parameter.requires_grad:
            key = (is_backbone(name), is_decayed(name, parameter, config.decay_cognition_token))
            groups.setdefault(key, []).append(parameter)
            names.setdefault(key, []).append(name)
    return torch.optim.AdamW(
        [
            {
                "params": members,
                "names": names[backbone, decayed],
                "backbone": backbone,
                "weight_decay": config.weight_decay if decayed else 0.0,
            }
            for (backbone, decayed), members in groups.items()
        ],
        lr=0.0,
        betas=config.betas,
        fused=all(parameter.is_cuda for members in groups.values() for parameter in members) or None,
    )


def apply_rates(optimizer: torch.optim.Optimizer, rates: Rates) -> None:
    """Set the learning rates of the coming step; a frozen backbone loses its gradients, so AdamW skips it whole."""
    for group in optimizer.param_groups:
        group["lr"] = rates.backbone if group["backbone"] else rates.expert
        if group["backbone"] and rates.backbone_frozen:
            for parameter in group["params"]:
                parameter.grad = None


def named_states(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, nn.Parameter, dict[str, Tensor]]]:
    """Name, parameter and Adam state of every parameter; the state is empty before its first step."""
    for group in optimizer.param_groups:
        for name, parameter in zip(group["names"], group["params"], strict=True):
            yield name, parameter, optimizer.state.get(parameter, {})
