"""A checkpoint in the reference's layout with random weights, for tests that need no downloaded data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

VISION, V_LAYERS, V_HEADS = 32, 2, 2
WIDTH, LAYERS, HEADS, KV_HEADS, HEAD_DIM = 48, 2, 4, 2, 12
BLOCKS = 3
VOCABULARY, IMAGE_ID, IMAGE_SIZE = 40, 5, 42


def layer_keys(vision_layers: int, layers: int, blocks: int) -> list[str]:
    """Tensor names of a reference checkpoint, written out by hand."""
    both = ("weight", "bias")
    vision = "backbone.vision_tower.vision_model."
    keys = ["cognition_token", f"{vision}embeddings.position_embedding.weight"]
    keys += [f"{vision}embeddings.patch_embedding.{x}" for x in both] + [f"{vision}post_layernorm.{x}" for x in both]
    for i in range(vision_layers):
        parts = [f"self_attn.{n}_proj" for n in ("q", "k", "v", "out")] + [
            "layer_norm1",
            "layer_norm2",
            "mlp.fc1",
            "mlp.fc2",
        ]
        keys += [f"{vision}encoder.layers.{i}.{part}.{x}" for part in parts for x in both]
    keys += [f"backbone.multi_modal_projector.linear.{x}" for x in both]
    text = "backbone.language_model.model."
    keys += [f"{text}embed_tokens.weight", f"{text}norm.weight", "backbone.language_model.lm_head.weight"]
    for i in range(layers):
        parts = [f"self_attn.{n}_proj" for n in "qkvo"] + [f"mlp.{n}_proj" for n in ("gate", "up", "down")]
        parts += [
            "input_layernorm",
            "post_attention_layernorm",
            "pre_feedforward_layernorm",
            "post_feedforward_layernorm",
        ]
        keys += [f"{text}layers.{i}.{part}.weight" for part in parts]
    net = "act_model.net."
    linears = ["x_embedder.projector.0", "x_embedder.projector.2", "t_embedder.mlp.0", "t_embedder.mlp.2"]
    linears += ["z_embedder.linear", *(f"state_embedder.projector.{i}" for i in (0, 2, 4))]
    linears += ["final_layer.linear", "final_layer.adaLN_modulation.1"]
    for i in range(blocks):
        linears += [
            f"blocks.{i}.{part}" for part in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2", "adaLN_modulation.1")
        ]
        keys += [f"{net}blocks.{i}.attn.{n}_norm.weight" for n in "qk"]
    keys += [f"{net}{name}.{x}" for name in linears for x in both]
    keys += [f"{net}positional_embedding", f"{net}z_embedder.uncondition"]
    return keys + [f"fov_encoder.projector.{i}.{x}" for i in (0, 2) for x in both]


@pytest.fixture(scope="session")
def reference_keys() -> Callable[[int, int, int], list[str]]:
    """Tensor names by numbers of vision layers, language layers and expert blocks."""
    return layer_keys


@pytest.fixture(scope="session")
def sibling_run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory as the reference writes it, with random weights large enough for every trap to show."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("run")
    vlm = {
        "image_token_index": IMAGE_ID,
        "bos_token_id": 2,
        "pad_token_id": 0,
        "text_config": {
            "hidden_size": WIDTH,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "num_key_value_heads": KV_HEADS,
            "head_dim": HEAD_DIM,
            "intermediate_size": 96,
            "query_pre_attn_scalar": HEAD_DIM,
            "attn_logit_softcapping": 50.0,
            "vocab_size": VOCABULARY,
        },
        "vision_config": {
            "hidden_size": VISION,
            "image_size": IMAGE_SIZE,
            "intermediate_size": 64,
            "num_attention_heads": V_HEADS,
            "num_hidden_layers": V_LAYERS,
            "patch_size": 14,
        },
    }
    run = {
        "vla_name": "sibling",
        "fwd_pred_next_n": 16,
        "use_state": "DiT",
        "use_fov": True,
        "action_model": {"model_type": "DiT-T", "action_dim": 192, "hidden_size": 1024},
        "state_encoder": {"state_dim": 212},
        "vlm": {"pretrained_model_name_or_path": "base"},
    }
    (folder / "base").mkdir()
    (folder / "base/config.json").write_text(json.dumps(vlm))
    (folder / "config.json").write_text(json.dumps(run))
    vocabulary = {"<pad>": 0, "<eos>": 1, "<bos>": 2, "<unk>": 3, "\n": 4, "<image>": 5}
    vocabulary |= {character: 6 + i for i, character in enumerate("LefthandNoRigiI.: t")}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.save(str(folder / "base/tokenizer.json"))
    step_dir = folder / "checkpoints/epoch=0-step=7.ckpt"
    step_dir.mkdir(parents=True)
    (step_dir / "meta.json").write_text('{"epoch": 0, "global_step": 7}')
    torch.save(random_weights(find_config(folder)), step_dir / "weights.pt")
    return folder


def find_config(folder: Path) -> Any:
    from vitra_policy.checkpoint.reference import network_config

    return network_config(
        json.loads((folder / "config.json").read_text()), json.loads((folder / "base/config.json").read_text())
    )


def random_weights(config: Any) -> dict[str, Tensor]:
    from vitra_policy.checkpoint.reference_keys import map_keys
    from vitra_policy.model.vla import Vitra

    generator = torch.Generator().manual_seed(5)
    with torch.device("meta"):
        shapes = {name: parameter.shape for name, parameter in Vitra(config).named_parameters()}
    names = map_keys(layer_keys(V_LAYERS, LAYERS, BLOCKS))
    weights = {}
    for name, key in names.items():
        scale = 1.0 if len(shapes[name]) == 1 else 1.5 * shapes[name][-1] ** -0.5
        if re.search(r"(q|k)_proj", key) and "language" in key:
            scale *= 4
        weights[key] = torch.randn(shapes[name], generator=generator) * (0.3 if len(shapes[name]) == 1 else scale)
        if "q_norm" in key or "k_norm" in key:
            weights[key] = weights[key] + 1
    weights["backbone.language_model.lm_head.weight"] = torch.zeros(1)
    return weights
