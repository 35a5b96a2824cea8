"""Host to device through pinned memory: one copy for the image and one for all small inputs together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Upload:
    """Reusable pinned buffers; on a CPU everything passes through untouched.

    Args:
        device: Where to.
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self._on_gpu = device, device.type == "cuda"
        self._pinned: dict[tuple[str, int], Tensor] = {}

    def image(self, image: NDArray[np.uint8]) -> Tensor:
        """An image (H, W, 3) uint8 on the device."""
        host = torch.from_numpy(np.require(image, requirements=["C", "W"]))  # PyTorch takes no read-only memory
        return self._send("image", host.flatten()).view(host.shape)

    def tensors(self, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tensors on the device as fp32; booleans become 0 and 1."""
        if not self._on_gpu:
            return {name: part.float() for name, part in parts.items()}
        flat = self._send("parts", torch.cat([part.float().flatten() for part in parts.values()]))
        pieces = torch.split(flat, [part.numel() for part in parts.values()])
        return {name: piece.view(part.shape) for (name, part), piece in zip(parts.items(), pieces, strict=True)}

    def _send(self, kind: str, flat: Tensor) -> Tensor:
        if not self._on_gpu:
            return flat.to(self._device)
        buffer = self._pinned.setdefault((kind, len(flat)), torch.empty_like(flat, pin_memory=True))
        buffer.copy_(flat)
        return buffer.to(self._device, non_blocking=True)
