"""Arithmetic of a training step, for model FLOP utilisation."""

from __future__ import annotations

from vitra_policy.model.config import VitraConfig

_TRAINED = 3
"""Forward, gradient of the inputs, gradient of the weights."""


def training_flops(config: VitraConfig, text_tokens: int, repeats: int) -> float:
    """Floating point operations that one sample needs (2 per multiply-add), recomputation not counted.

    The vision tower runs forward only; of the last language layer only the cognition row is needed (keys and values
    aside), as the network computes it.

    Args:
        config: the network.
        text_tokens: text ids with padding.
        repeats: noise levels per sample.
    """
    vision, language, expert = config.vision, config.language, config.expert
    image = vision.tokens
    patch = 3 * vision.patch_size**2 * vision.width
    tower = vision.layers * (4 * vision.width**2 + 2 * vision.width * vision.mlp_width + 2 * image * vision.width)
    total = 2.0 * image * (patch + tower)
    total += _TRAINED * 2.0 * image * vision.width * language.width
    length = image + text_tokens + (2 if config.use_fov else 1)
    queries, keys = language.heads * language.head_dim, language.kv_heads * language.head_dim
    per_query = 2 * language.width * queries + 3 * language.width * language.mlp_width + 2 * length * queries
    per_key = 2 * language.width * keys
    full = (language.layers - 1) * length * (per_query + per_key)
    last = per_query + length * per_key
    total += _TRAINED * 2.0 * (full + last)
    width, tokens = expert.width, expert.tokens
    block = 12 * width**2 + 2 * tokens * width
    conditioning = 6 * width**2 * expert.layers + 2 * width**2
    embed = 2 * expert.action_dim * width + width**2 + expert.action_dim * width
    per_row = tokens * block * expert.layers + conditioning + expert.steps * embed
    return total + _TRAINED * 2.0 * repeats * per_row
