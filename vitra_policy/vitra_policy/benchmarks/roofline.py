"""The least time a GPU needs for one chunk, from the arithmetic and the bytes (docs/model.md: Cost)."""

from __future__ import annotations

from dataclasses import dataclass

from vitra_policy.model.config import VitraConfig

_BF16_BYTES, _FP8_BYTES = 2, 1


@dataclass(frozen=True, slots=True)
class Peak:
    """Dense peaks of a GPU, fp32 accumulation."""

    bf16_flops: float
    fp8_flops: float | None
    bytes_per_s: float


PEAKS: dict[str, Peak] = {
    "4090": Peak(165e12, 330e12, 1.008e12),
    "5090": Peak(210e12, 419e12, 1.792e12),
    "H200": Peak(989e12, 1979e12, 4.8e12),
    "H100 PCIe": Peak(756e12, 1513e12, 2.0e12),
    "H100": Peak(989e12, 1979e12, 3.35e12),
    "A100": Peak(312e12, None, 1.555e12),
    "L40S": Peak(362e12, 733e12, 0.864e12),
}
"""By a part of the device's name; the first that matches counts."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one stage needs."""

    flops: float
    parameters: float

    def seconds(self, flops_per_s: float, bytes_per_s: float, parameter_bytes: int) -> float:
        """The larger of the times for arithmetic and for reading the weights once.

        Args:
            flops_per_s: Peak of arithmetic.
            bytes_per_s: Peak of memory.
            parameter_bytes: Bytes of one weight.
        """
        return max(self.flops / flops_per_s, self.parameters * parameter_bytes / bytes_per_s)


def find_peak(device_name: str) -> Peak | None:
    """Peaks of a device by its name; None if unknown."""
    return next((peak for name, peak in PEAKS.items() if name in device_name), None)


def vision_cost(config: VitraConfig) -> Cost:
    """The image tower."""
    cfg = config.vision
    weights = cfg.layers * (4 * cfg.width**2 + 2 * cfg.width * cfg.mlp_width) + 3 * cfg.patch_size**2 * cfg.width
    attention = cfg.layers * 4 * cfg.tokens**2 * cfg.width
    return Cost(2.0 * weights * cfg.tokens + attention, weights)


def trunk_cost(config: VitraConfig, tokens: int) -> Cost:
    """The prefill of ``tokens``; the last layer's queries and MLP for one row."""
    cfg = config.language
    keys_values = 2 * cfg.width * cfg.kv_heads * cfg.head_dim
    rest = 2 * cfg.width * cfg.heads * cfg.head_dim + 3 * cfg.width * cfg.mlp_width
    attention = 4 * tokens * cfg.heads * cfg.head_dim
    rows = (cfg.layers - 1) * tokens + 1
    flops = 2.0 * (cfg.layers * keys_values * tokens + rest * rows) + attention * rows
    return Cost(flops, cfg.layers * (keys_values + rest))


def expert_cost(config: VitraConfig, steps: int, guided: bool) -> tuple[Cost, Cost]:
    """What runs once per chunk (modulation), and what runs in each of ``steps``.

    Args:
        config: Sizes of the network.
        steps: Denoising steps.
        guided: Whether both halves of the guidance run.
    """
    cfg = config.expert
    rows = (2 if guided else 1) * cfg.tokens
    block = 12 * cfg.width**2
    step = Cost(2.0 * cfg.layers * block * rows, cfg.layers * block)
    modulation = (6 * cfg.layers + 2) * cfg.width**2
    return Cost(2.0 * modulation * steps * (2 if guided else 1), modulation), step


def least_seconds(config: VitraConfig, peak: Peak, tokens: int, steps: int = 10, *, fp8: bool = False) -> float:
    """Roofline of a guided chunk: bf16, or vision and trunk in fp8.

    Args:
        config: Sizes of the network.
        peak: Of the GPU.
        tokens: Length of the trunk's sequence.
        steps: Denoising steps.
        fp8: Vision and trunk in fp8.

    Raises:
        ValueError: fp8 on a GPU that has none.
    """
    flops = peak.fp8_flops if fp8 else peak.bf16_flops
    if flops is None:
        raise ValueError("this GPU has no fp8")
    seen = (vision_cost(config), trunk_cost(config, tokens))
    total = sum(cost.seconds(flops, peak.bytes_per_s, _FP8_BYTES if fp8 else _BF16_BYTES) for cost in seen)
    once, step = expert_cost(config, steps, guided=True)
    total += once.seconds(peak.bf16_flops, peak.bytes_per_s, _BF16_BYTES)
    return total + steps * step.seconds(peak.bf16_flops, peak.bytes_per_s, _BF16_BYTES)
