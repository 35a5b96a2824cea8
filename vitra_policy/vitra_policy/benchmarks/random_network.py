"""Networks with random weights and made-up statistics, for trying out, benchmarks and tests: they know nothing."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vitra_policy.action_space import BETA_DIM, FINGERS_DIM
from vitra_policy.model.config import VitraConfig
from vitra_policy.model.vla import Vitra
from vitra_policy.statistics import HandStatistics, Moments, Statistics

_MODULATION_GAIN = 0.3
_NORM_SPREAD = 0.05


def random_network(config: VitraConfig, seed: int = 0, device: torch.device | str = "cpu") -> Vitra:
    """A network in evaluation mode whose outputs depend on every input; weights are drawn on the device, in fp32.

    Unlike a freshly initialised one its adaLN and output layers are not zero.

    Args:
        config: Sizes of the network.
        seed: Of the weights.
        device: Where they are drawn.
    """
    with torch.device("meta"):
        model = Vitra(config)
    model = model.to_empty(device=device)
    draw = torch.Generator(device=device).manual_seed(seed)
    for name, parameter in model.named_parameters():
        draw_weight(name, parameter, draw)
    return model.eval()


@torch.no_grad()
def draw_weight(name: str, weight: Tensor, draw: torch.Generator) -> Tensor:
    """Fill one weight of a network in place.

    Args:
        name: Of the parameter.
        weight: Of any shape; its contents do not matter.
        draw: Gives the numbers.
    """
    if weight.ndim == 1 or name.endswith("position_embedding"):
        weight.normal_(0, _NORM_SPREAD, generator=draw)
        if name.endswith("norm.weight") and "language" not in name or ".norm1.w" in name or ".norm2.w" in name:
            weight.add_(1.0)
    else:
        gain = _MODULATION_GAIN if "modulation" in name else 1.0
        weight.normal_(0, gain * weight[0].numel() ** -0.5, generator=draw)
    return weight


def example_statistics(seed: int = 0, motion: float = 1.0, fingers: float = 1.0) -> Statistics:
    """Statistics of both hands with the spread of table-top motion: 4 mm and 1.5 degrees per step, times ``motion``.

    Args:
        seed: Draws them.
        motion: Times the wrists' spread.
        fingers: Times the spread of the fingers' actions.
    """
    draw = np.random.default_rng(seed)
    fingers_mean, fingers_std = draw.uniform(0, 0.5, FINGERS_DIM), draw.uniform(0.05, 0.3, FINGERS_DIM)
    action = Moments(
        np.r_[np.zeros(6), fingers_mean],
        np.r_[np.full(3, 0.004) * motion, np.full(3, np.deg2rad(1.5)) * motion, fingers_std * fingers],
    )
    hands = {}
    for side, x_m in (("left", -0.15), ("right", 0.15)):
        mean = np.r_[x_m, 0.05, 0.45, np.zeros(3), fingers_mean, np.zeros(BETA_DIM)]
        std = np.r_[np.full(3, 0.1), np.full(3, 0.5), fingers_std, np.ones(BETA_DIM)]
        hands[side] = HandStatistics(Moments(mean, std), action)
    return Statistics("made-up", hands)  # type: ignore[arg-type]
