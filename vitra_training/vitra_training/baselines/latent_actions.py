"""A small latent action model (after LAPA, arXiv 2410.11758): what changed between two images, in a few numbers.

An encoder looks at both images and writes a code of a few quantised numbers; a decoder draws the later image from
the earlier one and the code. What the code must carry is the change, so it can stand in for actions in pretraining.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from vitra_training.datasets.errors import BrokenFileError

LATENT_DIM = 6
"""Numbers of a code: they take the place of the right wrist's six."""
IMAGE_PX = 32
_LEVELS = 5
_WIDTH = 32


@dataclass(frozen=True, slots=True)
class LatentOptions:
    """How the model is trained."""

    steps: int = 400
    """Optimizer steps."""
    batch: int = 32
    """Image pairs per step."""
    lr: float = 1e-3
    """Adam's learning rate."""


class LatentActionModel(nn.Module):
    """Encoder and decoder of changes between images of 32 x 32 pixels."""

    def __init__(self) -> None:
        super().__init__()
        cells = _WIDTH * (IMAGE_PX // 8) ** 2
        self.encoder = nn.Sequential(*_down(6), nn.Flatten(), nn.Linear(cells, LATENT_DIM))
        self.now = nn.Sequential(*_down(3))
        self.spread = nn.Linear(LATENT_DIM, cells)
        self.decoder = nn.Sequential(*_up())

    def encode(self, now: Tensor, later: Tensor) -> Tensor:
        """Codes (B, 6) in {-1, -0.5, 0, 0.5, 1} of images (B, 3, 32, 32) in [0, 1]; gradients pass the rounding."""
        smooth = torch.tanh(self.encoder(torch.cat([now, later], dim=1)))
        half = (_LEVELS - 1) / 2
        return smooth + (torch.round(smooth * half) / half - smooth).detach()

    def forward(self, now: Tensor, later: Tensor) -> Tensor:
        """Mean squared error of the later image drawn from the earlier one and the code.

        Args:
            now: Images (B, 3, 32, 32).
            later: Images (B, 3, 32, 32).
        """
        code = self.encode(now, later)
        features = self.now(now)
        drawn = now + self.decoder(features + self.spread(code).view_as(features))
        return F.mse_loss(drawn, later)


def small(image: NDArray[np.uint8]) -> Tensor:
    """(3, 32, 32) in [0, 1] of an RGB image."""
    shrunk = cv2.resize(image, (IMAGE_PX, IMAGE_PX), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.ascontiguousarray(shrunk.transpose(2, 0, 1))).float() / 255


def fit(model: LatentActionModel, now: Tensor, later: Tensor, options: LatentOptions, seed: int) -> list[float]:
    """Train on pairs (N, 3, 32, 32); returns the loss of every step.

    Args:
        model: Trained in place.
        now: Earlier images.
        later: Later images.
        options: Steps, batch and rate.
        seed: Of the order.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), options.lr)
    losses = []
    for _ in range(options.steps):
        rows = torch.randint(len(now), (options.batch,), generator=generator).to(now.device)
        loss = model(now[rows], later[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def save(model: LatentActionModel, path: Path) -> None:
    """Write the weights; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(model.state_dict(), partial)
    partial.replace(path)


def load(path: Path) -> LatentActionModel:
    """Read a model back.

    Raises:
        BrokenFileError: not a file of this model.
    """
    model = LatentActionModel()
    try:
        model.load_state_dict(load_file(path))
    except (OSError, RuntimeError, SafetensorError) as cause:
        raise BrokenFileError(path, "latent action model", cause) from None
    return model.eval()


def _down(channels: int) -> list[nn.Module]:
    sizes = (channels, _WIDTH, _WIDTH, _WIDTH)
    return [m for a, b in zip(sizes, sizes[1:], strict=False) for m in (nn.Conv2d(a, b, 4, 2, 1), nn.GELU())]


def _up() -> list[nn.Module]:
    layers: list[nn.Module] = []
    for size in (_WIDTH, _WIDTH):
        layers += [nn.ConvTranspose2d(_WIDTH, size, 4, 2, 1), nn.GELU()]
    return [*layers, nn.ConvTranspose2d(_WIDTH, 3, 4, 2, 1)]
