"""Names of the published checkpoint's tensors and the parameters of our network they belong to.

Three naming schemes exist, one per transformers generation the training may have run with (docs/model.md: Checkpoint).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from vitra_policy.checkpoint.errors import CheckpointKeysError

_VISION = r"backbone\.(?:model\.)?vision_tower\.(?:vision_model\.)?"
_LANGUAGE = r"backbone\.(?:language_model\.model|model\.language_model)\."
_EXPERT = r"act_model\.net\."

_IGNORED = re.compile(r"backbone\.(?:language_model\.)?lm_head\.weight")
"""The vocabulary head: a tied copy of the word embedding that inference and training never need."""

_RULES: tuple[tuple[str, str], ...] = (
    (r"cognition_token", "cognition_token"),
    (_VISION + r"embeddings\.patch_embedding\.(weight|bias)", r"vision.patch_embedding.\1"),
    (_VISION + r"embeddings\.position_embedding\.weight", r"vision.position_embedding"),
    (_VISION + r"encoder\.layers\.(\d+)\.self_attn\.q_proj\.(\w+)", r"vision.layers.\1.attention.query.\2"),
    (_VISION + r"encoder\.layers\.(\d+)\.self_attn\.k_proj\.(\w+)", r"vision.layers.\1.attention.key.\2"),
    (_VISION + r"encoder\.layers\.(\d+)\.self_attn\.v_proj\.(\w+)", r"vision.layers.\1.attention.value.\2"),
    (_VISION + r"encoder\.layers\.(\d+)\.self_attn\.out_proj\.(\w+)", r"vision.layers.\1.attention.out.\2"),
    (_VISION + r"encoder\.layers\.(\d+)\.layer_norm([12])\.(\w+)", r"vision.layers.\1.norm\2.\3"),
    (_VISION + r"encoder\.layers\.(\d+)\.mlp\.(fc[12])\.(\w+)", r"vision.layers.\1.\2.\3"),
    (_VISION + r"post_layernorm\.(\w+)", r"vision.norm.\1"),
    (r"backbone\.(?:model\.)?multi_modal_projector\.linear\.(\w+)", r"projector.\1"),
    (_LANGUAGE + r"embed_tokens\.weight", "language.embedding.weight"),
    (_LANGUAGE + r"norm\.weight", "language.norm.weight"),
    (_LANGUAGE + r"layers\.(\d+)\.self_attn\.q_proj\.weight", r"language.layers.\1.attention.query.weight"),
    (_LANGUAGE + r"layers\.(\d+)\.self_attn\.k_proj\.weight", r"language.layers.\1.attention.key.weight"),
    (_LANGUAGE + r"layers\.(\d+)\.self_attn\.v_proj\.weight", r"language.layers.\1.attention.value.weight"),
    (_LANGUAGE + r"layers\.(\d+)\.self_attn\.o_proj\.weight", r"language.layers.\1.attention.out.weight"),
    (_LANGUAGE + r"layers\.(\d+)\.mlp\.(gate|up|down)_proj\.weight", r"language.layers.\1.\2.weight"),
    (_LANGUAGE + r"layers\.(\d+)\.input_layernorm\.weight", r"language.layers.\1.norm_attention_in.weight"),
    (_LANGUAGE + r"layers\.(\d+)\.post_attention_layernorm\.weight", r"language.layers.\1.norm_attention_out.weight"),
    (_LANGUAGE + r"layers\.(\d+)\.pre_feedforward_layernorm\.weight", r"language.layers.\1.norm_mlp_in.weight"),
    (_LANGUAGE + r"layers\.(\d+)\.post_feedforward_layernorm\.weight", r"language.layers.\1.norm_mlp_out.weight"),
    (r"fov_encoder\.projector\.0\.(\w+)", r"fov_encoder.fc1.\1"),
    (r"fov_encoder\.projector\.2\.(\w+)", r"fov_encoder.fc2.\1"),
    (_EXPERT + r"positional_embedding", "expert.position_embedding"),
    (_EXPERT + r"z_embedder\.uncondition", "expert.unconditional"),
    (_EXPERT + r"z_embedder\.linear\.(\w+)", r"expert.cognition_in.\1"),
    (_EXPERT + r"t_embedder\.mlp\.0\.(\w+)", r"expert.time_in.0.\1"),
    (_EXPERT + r"t_embedder\.mlp\.2\.(\w+)", r"expert.time_in.1.\1"),
    (_EXPERT + r"x_embedder\.projector\.0\.(\w+)", r"expert.action_in.0.\1"),
    (_EXPERT + r"x_embedder\.projector\.2\.(\w+)", r"expert.action_in.1.\1"),
    (_EXPERT + r"state_embedder\.projector\.0\.(\w+)", r"expert.state_in.0.\1"),
    (_EXPERT + r"state_embedder\.projector\.2\.(\w+)", r"expert.state_in.1.\1"),
    (_EXPERT + r"state_embedder\.projector\.4\.(\w+)", r"expert.state_in.2.\1"),
    (_EXPERT + r"blocks\.(\d+)\.attn\.qkv\.(\w+)", r"expert.blocks.\1.qkv.\2"),
    (_EXPERT + r"blocks\.(\d+)\.attn\.q_norm\.weight", r"expert.blocks.\1.query_norm.weight"),
    (_EXPERT + r"blocks\.(\d+)\.attn\.k_norm\.weight", r"expert.blocks.\1.key_norm.weight"),
    (_EXPERT + r"blocks\.(\d+)\.attn\.proj\.(\w+)", r"expert.blocks.\1.out.\2"),
    (_EXPERT + r"blocks\.(\d+)\.mlp\.(fc[12])\.(\w+)", r"expert.blocks.\1.\2.\3"),
    (_EXPERT + r"blocks\.(\d+)\.adaLN_modulation\.1\.(\w+)", r"expert.blocks.\1.modulation.\2"),
    (_EXPERT + r"final_layer\.adaLN_modulation\.1\.(\w+)", r"expert.out_modulation.\1"),
    (_EXPERT + r"final_layer\.linear\.(\w+)", r"expert.action_out.\1"),
)
_COMPILED = tuple((re.compile(pattern), target) for pattern, target in _RULES)


def parameter_name(key: str) -> str | None:
    """Our parameter for one tensor of a reference checkpoint; None for the vocabulary head.

    Raises:
        CheckpointKeysError: The name fits none of the known schemes.
    """
    for pattern, target in _COMPILED:
        match = pattern.fullmatch(key)
        if match:
            return match.expand(target)
    if _IGNORED.fullmatch(key):
        return None
    raise CheckpointKeysError(
        f"Tensor '{key}' belongs to no part of a VITRA network. Is this a weights file of the reference (weights.pt)?"
    )


def map_keys(keys: Iterable[str]) -> dict[str, str]:
    """Checkpoint names by our parameter names.

    Raises:
        CheckpointKeysError: A name is unknown, or two names mean the same parameter.
    """
    mapped: dict[str, str] = {}
    for key in keys:
        name = parameter_name(key)
        if name is None:
            continue
        if name in mapped:
            raise CheckpointKeysError(f"Tensors '{mapped[name]}' and '{key}' both stand for parameter '{name}'.")
        mapped[name] = key
    return mapped
