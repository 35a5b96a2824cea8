"""SigLIP vision transformer: square image to patch features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vitra_policy.model.config import VisionConfig


class SiglipAttention(nn.Module):
    """Plain multi-head self-attention with biases."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.query = nn.Linear(config.width, config.width)
        self.key = nn.Linear(config.width, config.width)
        self.value = nn.Linear(config.width, config.width)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """Attend over all patches; (B, N, width) to the same."""
        q, k, v = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        y = F.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.out(y.transpose(1, 2).flatten(2))
        return out


class SiglipLayer(nn.Module):
    """Pre-norm transformer layer with a tanh-GELU MLP."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.attention = SiglipAttention(config)
        self.norm2 = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.fc1 = nn.Linear(config.width, config.mlp_width)
        self.fc2 = nn.Linear(config.mlp_width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """One layer; (B, N, width) to the same."""
        x = x + self.attention(self.norm1(x))
        out: Tensor = x + self.fc2(F.gelu(self.fc1(self.norm2(x)), approximate="tanh"))
        return out


class Siglip(nn.Module):
    """SigLIP image tower without its pooling head."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.patch_embedding = nn.Conv2d(3, config.width, config.patch_size, config.patch_size)
        self.position_embedding = nn.Parameter(torch.empty(config.tokens, config.width))
        self.layers = nn.ModuleList(SiglipLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        nn.init.normal_(self.position_embedding, std=0.02)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Features of all patches.

        Args:
            pixel_values: (B, 3, image_size, image_size) in [-1, 1].

        Returns:
            (B, tokens, width), row by row from the top left, after the final norm.
        """
        x = self.patch_embedding(pixel_values).flatten(2).transpose(1, 2) + self.position_embedding
        for layer in self.layers:
            x = layer(x)
        features: Tensor = self.norm(x)
        return features
