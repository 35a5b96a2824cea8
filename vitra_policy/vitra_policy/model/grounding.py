"""From a feature map and the words to a few image tokens: where in the image is what the instruction names.

A small tower's map has too many cells for a small trunk, and the few that matter depend on the words. The words
modulate the map (FiLM, Perez et al., arXiv 1709.07871); spatial softmax (Levine et al., arXiv 1504.00702) turns it into
keypoints, each a token of its place in the image and of what is there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vitra_policy.model.config import GroundingConfig

_SHARPNESS = 8.0  # of the first heat maps, and weight of places beside contents
_NARROW, _MIXED = 32, 192  # numbers of a keypoint that count for the places, and of all keypoints together
_WORD = 5  # bytes that one step of the word reader sees


class WordReader(nn.Module):
    """Text embeddings (B, T, width) to one vector (B, width) of what is mentioned, wherever it stands."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(width, inner, _WORD, padding=_WORD // 2)
        self.second = nn.Conv1d(inner, inner, _WORD, padding=_WORD // 2)
        self.out = nn.Linear(inner, inner)

    def forward(self, text: Tensor, valid: Tensor | None) -> Tensor:
        """Reads the valid tokens; ``valid`` (B, T) is None when all are."""
        present = torch.ones(text.shape[:2], dtype=torch.bool, device=text.device) if valid is None else valid
        mask = present[:, None].to(text.dtype)
        x = F.relu(self.first(text.transpose(1, 2) * mask)) * mask
        x = F.relu(self.second(x)).masked_fill(~present[:, None], 0.0)
        mentioned: Tensor = self.out(x.amax(dim=2))
        return mentioned


class Grounding(nn.Module):
    """Feature map (B, channels, h, w) and text embeddings to keypoint tokens (B, keypoints, width)."""

    def __init__(self, config: GroundingConfig, channels: int, width: int) -> None:
        super().__init__()
        inner = config.width
        self.config = config
        self.words = WordReader(width, inner)
        self.film = nn.Linear(inner, 6 * inner)
        self.enter = nn.Conv2d(channels + 2, inner, 1)
        self.convolutions = nn.ModuleList(nn.Conv2d(inner, inner, 3, padding=1) for _ in range(2))
        self.heat = nn.Conv2d(inner, config.keypoints, 1)
        self.token = nn.Linear(inner + 2, width)
        self.which = nn.Parameter(0.02 * torch.randn(config.keypoints, width))
        with torch.no_grad():  # flat heat maps all have their centre in the middle: nothing to learn from
            self.heat.weight.mul_(_SHARPNESS)
            self.token.weight[:, :2].mul_(_SHARPNESS)

    def forward(self, features: Tensor, text: Tensor, valid: Tensor | None) -> Tensor:
        """Tokens of the keypoints.

        Args:
            features: Of the image (B, channels, rows, columns).
            text: Embeddings of the instruction (B, T, width).
            valid: (B, T), False where padded; None: all valid.
        """
        grid = _grid(features)
        x = F.layer_norm(features.permute(0, 2, 3, 1), features.shape[1:2]).permute(0, 3, 1, 2)
        x = self.enter(torch.cat([x, grid.to(x.dtype).expand(len(x), -1, -1, -1)], dim=1))
        gains = self.film(F.relu(self.words(text, valid))).unflatten(1, (3, 2, -1))[..., None, None]
        x = F.relu(x * (1 + gains[:, 0, 0]) + gains[:, 0, 1])
        for index, convolution in enumerate(self.convolutions, start=1):
            x = x + F.relu(convolution(x) * (1 + gains[:, index, 0]) + gains[:, index, 1])
        weights = self.heat(x).flatten(2).float().softmax(dim=-1)  # (B, K, cells); bf16 places would be coarse
        places = torch.einsum("bkc,dc->bkd", weights, grid.flatten(1).float())
        contents = torch.einsum("bkc,bdc->bkd", weights.to(x.dtype), x.flatten(2))
        with torch.autocast(x.device.type, enabled=False):  # in bf16 a place would be off by a pixel
            read = torch.cat([places, contents.float()], dim=-1).to(self.token.weight.dtype)
            tokens: Tensor = self.token(read) + self.which
        return tokens


class Places(nn.Module):
    """What keypoint tokens say about where things are, and that as a part of the cognition feature.

    The trunk mixes tokens by attention, which is no good at millimetres. This reads all keypoints at once.

    Args:
        keypoints: How many tokens.
        width: Of a token and of the cognition feature.
        numbers: How many numbers are said, normalised.
    """

    def __init__(self, keypoints: int, width: int, numbers: int) -> None:
        super().__init__()
        self.narrow = nn.Linear(width, _NARROW)
        self.mix = nn.Linear(keypoints * _NARROW, _MIXED)
        self.out = nn.Linear(_MIXED, numbers)
        self.into = nn.Linear(numbers, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Normalised places (B, numbers) of keypoint tokens (B, keypoints, width), scaled as the grounding has them."""
        said: Tensor = self.out(F.relu(self.mix(F.relu(self.narrow(tokens)).flatten(1))))
        return said

    def joined(self, cognition: Tensor, places: Tensor) -> Tensor:
        """A cognition feature (B, 1, width) that also says the places (B, numbers)."""
        said: Tensor = self.into(places)[:, None].to(cognition.dtype)
        return cognition + said


def _grid(features: Tensor) -> Tensor:
    """Horizontal and vertical place (2, h, w) of every cell, -1 to 1 over the image."""
    height, width = features.shape[-2:]
    y = (torch.arange(height, device=features.device) + 0.5) / height * 2 - 1
    x = (torch.arange(width, device=features.device) + 0.5) / width * 2 - 1
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)])
