"""Noise schedule of the action diffusion and its DDIM shortcut as two numbers per step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitra_policy.errors import VitraError

_MAX_BETA = 0.999
_ONE_STEP_TIMESTEP = 50


class DdimStepsError(VitraError):
    """A number of denoising steps for which no even spacing of the noise levels exists."""


@dataclass(frozen=True, slots=True)
class DdimStep:
    """One deterministic DDIM update ``x <- keep * x + add * eps`` (eta 0, no clipping)."""

    timestep: int
    """Raw noise level the network is asked about."""
    alpha: float
    """Cumulative signal power at that level; clean actions enter as sqrt(alpha), noise as sqrt(1 - alpha)."""
    keep: float
    add: float


@dataclass(frozen=True, slots=True)
class Diffusion:
    """Squared-cosine schedule with noise prediction (docs/model.md: Diffusion)."""

    levels: int = 100

    def alphas(self) -> NDArray[np.float64]:
        """Cumulative signal power (levels,) of each noise level."""
        return _alphas(self.levels)

    def add_noise(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Noisy actions at ``timesteps`` (B,) of clean actions and noise (B, steps, dim).

        Args:
            clean: (B, steps, dim).
            noise: (B, steps, dim) standard normal.
            timesteps: (B,) levels.
        """
        alphas = self.alphas()
        signal, spread = (
            torch.tensor(table, dtype=clean.dtype, device=clean.device)[timesteps][:, None, None]
            for table in (np.sqrt(alphas), np.sqrt(1 - alphas))
        )
        return signal * clean + spread * noise

    def ddim(self, steps: int) -> tuple[DdimStep, ...]:
        """Updates from noise to actions, noisiest first.

        Raises:
            DdimStepsError: ``steps`` is not one of :meth:`legal_steps`.
        """
        alphas = self.alphas()
        timesteps = self._spacing(steps)
        updates = []
        for index in reversed(range(steps)):
            a = float(alphas[timesteps[index]])
            previous = float(alphas[timesteps[index - 1]]) if index else 1.0
            add = math.sqrt(1 - previous) - math.sqrt(previous) * math.sqrt(1 / a - 1)
            updates.append(DdimStep(timesteps[index], a, math.sqrt(previous / a), add))
        return tuple(updates)

    def legal_steps(self) -> tuple[int, ...]:
        """Numbers of DDIM steps that an integer stride reaches: 1..10, 12, 13, 15, ... for 100 levels."""
        return tuple(sorted({1} | {math.ceil(self.levels / stride) for stride in range(1, self.levels)}))

    def _spacing(self, steps: int) -> list[int]:
        if steps not in self.legal_steps():
            allowed = ", ".join(map(str, self.legal_steps()))
            raise DdimStepsError(f"Cannot denoise {self.levels} levels in {steps} steps. Allowed: {allowed}.")
        if steps == 1:
            return [min(_ONE_STEP_TIMESTEP, self.levels // 2)]
        stride = next(s for s in range(1, self.levels) if math.ceil(self.levels / s) == steps)
        return list(range(0, self.levels, stride))


@lru_cache(maxsize=8)
def _alphas(levels: int) -> NDArray[np.float64]:
    def power(fraction: float) -> float:
        return math.cos((fraction + 0.008) / 1.008 * math.pi / 2) ** 2

    betas = [min(1 - power((i + 1) / levels) / power(i / levels), _MAX_BETA) for i in range(levels)]
    alphas: NDArray[np.float64] = np.cumprod(1.0 - np.array(betas, dtype=np.float64), dtype=np.float64)
    alphas.flags.writeable = False
    return alphas
