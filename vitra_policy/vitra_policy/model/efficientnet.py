"""EfficientNet-lite0 up to stride 16 as an image tower: small enough for a CPU, pretrained on ImageNet.

Architecture: Tan and Le, EfficientNet (arXiv 1905.11946), in the "lite" form without squeeze-and-excitation and with
ReLU6. Batch norms are folded into the convolutions: the tower is frozen, or trained further without them.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CHANNELS = 112
"""Channels of the feature map."""
STRIDE = 16
_STEM = 32
_NORM_EPS = 1e-3
# (repeats, kernel, stride, expansion, channels) of each stage up to stride 16.
_STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, CHANNELS))
_MEAN, _STD = 127.0 / 255.0, 128.0 / 255.0


class _Conv(nn.Module):
    """Convolution with TensorFlow's "same" padding: what is odd goes to the right and the bottom."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
        if kernel > 1:
            padding = [0, 0, 0, 0]
            for axis, size in ((0, x.shape[3]), (2, x.shape[2])):
                missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
                padding[axis], padding[axis + 1] = missing // 2, missing - missing // 2
            x = F.pad(x, padding)
        y: Tensor = self.conv(x)
        return y


class _Block(nn.Module):
    """Inverted residual: expand, depthwise, project."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = _Conv(inputs, wide) if expansion > 1 else None
        self.depthwise = _Conv(wide, wide, kernel, stride, groups=wide)
        self.project = _Conv(wide, outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x))
        out: Tensor = self.project(F.relu6(self.depthwise(y)))
        return x + out if self.residual else out


class EfficientNetLite0(nn.Module):
    """Images (B, 3, H, W) in [-1, 1] to features (B, 112, H / 16, W / 16); sides must be multiples of 16."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _Conv(3, _STEM, 3, 2)
        blocks, inputs = [], _STEM
        for repeats, kernel, stride, expansion, outputs in _STAGES:
            for index in range(repeats):
                blocks.append(_Block(inputs, outputs, kernel, stride if index == 0 else 1, expansion))
                inputs = outputs
        self.blocks = nn.ModuleList(blocks)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Feature map (B, channels, rows, columns) of images (B, 3, height, width)."""
        features: Tensor = F.relu6(self.stem(((pixel_values + 1) / 2 - _MEAN) / _STD))
        for block in self.blocks:
            features = block(features)
        return features

    def load_pretrained(self, weights: Mapping[str, Tensor]) -> None:
        """Take the published ImageNet weights (names of the PyTorch conversion), batch norms folded in.

        Raises:
            KeyError: a weight is missing.
        """
        self._fold(self.stem, weights, "_conv_stem", "_bn0")
        for index, block in enumerate(self.blocks):
            assert isinstance(block, _Block)
            name = f"_blocks.{index}."
            if block.expand is not None:
                self._fold(block.expand, weights, f"{name}_expand_conv", f"{name}_bn0")
            self._fold(block.depthwise, weights, f"{name}_depthwise_conv", f"{name}_bn1")
            self._fold(block.project, weights, f"{name}_project_conv", f"{name}_bn2")

    @staticmethod
    def _fold(into: _Conv, weights: Mapping[str, Tensor], conv: str, norm: str) -> None:
        gain = weights[f"{norm}.weight"] / torch.sqrt(weights[f"{norm}.running_var"] + _NORM_EPS)
        with torch.no_grad():
            into.conv.weight.copy_(weights[f"{conv}.weight"] * gain[:, None, None, None])
            assert into.conv.bias is not None
            into.conv.bias.copy_(weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * gain)
