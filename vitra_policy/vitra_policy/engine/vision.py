"""The image tower of the fast engine: patches by one product, fused query/key/value, folded constants."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vitra_policy.engine.linear import Linears, Wrap
from vitra_policy.model.siglip import Siglip, SiglipLayer


class VisionLayer(nn.Module):
    """One layer's weights."""

    def __init__(self, layer: SiglipLayer, linears: Linears) -> None:
        super().__init__()
        attention = layer.attention
        parts = (attention.query, attention.key, attention.value)
        self.heads = attention.heads
        self.qkv = linears(torch.cat([p.weight for p in parts]), torch.cat([p.bias for p in parts]))
        self.out = linears(attention.out.weight, attention.out.bias)
        self.fc1 = linears(layer.fc1.weight, layer.fc1.bias, gelu=True)
        self.fc2 = linears(layer.fc2.weight, layer.fc2.bias)
        self.norm1, self.norm2 = linears.norm(layer.norm1), linears.norm(layer.norm2)


def run_vision_layer(layer: VisionLayer, x: Tensor, dtype: torch.dtype) -> Tensor:
    """One layer over patches (1, N, width) of the fp32 residual stream.

    Args:
        layer: Its weights.
        x: The stream.
        dtype: Of the matrix products.
    """
    qkv: Tensor = layer.qkv(layer.norm1(x).to(dtype)).to(dtype)
    q, k, v = qkv.view(*qkv.shape[:-1], 3, layer.heads, -1).transpose(1, 3).unbind(2)
    attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    x = x + layer.out(attended)
    out: Tensor = x + layer.fc2(layer.fc1(layer.norm2(x).to(dtype)))
    return out


class FastVision(nn.Module):
    """Square image to image tokens, ready for the trunk.

    Args:
        vision: The network's image tower.
        projector: Its projector; the division by sqrt(width) here and the multiplication in the trunk cancel.
        linears: Makes the linear layers.
        wrap: Applied to the layer function, e.g. ``torch.compile``.
    """

    def __init__(self, vision: Siglip, projector: nn.Linear, linears: Linears, wrap: Wrap) -> None:
        super().__init__()
        patch = vision.patch_embedding
        self.patch_px, self.dtype = patch.kernel_size[0], linears.dtype
        assert patch.bias is not None
        self.patches = linears(patch.weight.flatten(1), full=True)
        self.offset = nn.Buffer(linears.constant(vision.position_embedding + patch.bias))
        self.layers = nn.ModuleList(VisionLayer(layer, linears) for layer in vision.layers)  # type: ignore[arg-type]
        self.norm = linears.norm(vision.norm)
        self.projector = linears(projector.weight, projector.bias, full=True)
        self._run = wrap(run_vision_layer)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Image tokens (N, width of the trunk) of (1, 3, size, size) in [-1, 1]; fp32."""
        p = self.patch_px
        batch, channels, height, width = pixel_values.shape
        patches = pixel_values.view(batch, channels, height // p, p, width // p, p).permute(0, 2, 4, 1, 3, 5)
        x = self.patches(patches.flatten(3).flatten(1, 2).to(self.dtype)) + self.offset
        for layer in self.layers:
            x = self._run(layer, x, self.dtype)
        tokens: Tensor = self.projector(self.norm(x).to(self.dtype))[0].float()
        return tokens
