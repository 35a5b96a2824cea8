"""The same parity checks on a random network that the test makes itself, against a plain restatement of the maths.

The oracle below works in float64 on the raw tensors of a reference-layout file and shares no code with the package.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from vitra_policy import load_reference
from vitra_policy.action_space import Hands, action_mask, state_mask
from vitra_policy.checkpoint.errors import CheckpointKeysError
from vitra_policy.checkpoint.reference import find_reference
from vitra_policy.checkpoint.reference_keys import map_keys
from vitra_policy.model.config import preset
from vitra_policy.model.reference_policy import ReferencePolicy
from vitra_policy.model.request import ChunkRequest
from vitra_policy.model.variance_norm import VarianceNorm
from vitra_policy.model.vla import Vitra

# The sizes of the network in conftest.py.
VISION, V_LAYERS, V_HEADS = 32, 2, 2
WIDTH, LAYERS, HEADS, KV_HEADS, HEAD_DIM = 48, 2, 4, 2, 12
EXPERT, BLOCKS, EXPERT_HEADS = 256, 3, 4
IMAGE_SIZE = 42
INSTRUCTION = "Left hand: None. Right hand: Lift it."
FOV = np.array([[1.1, 0.8]])
Tensors = dict[str, Tensor]


@pytest.fixture(scope="module")
def weights(sibling_run_dir: Path) -> Tensors:
    loaded = torch.load(next(sibling_run_dir.glob("checkpoints/*/weights.pt")), weights_only=True)
    return {key: value.double() for key, value in loaded.items()}


@pytest.fixture(scope="module")
def policy(sibling_run_dir: Path) -> ReferencePolicy:
    loaded = load_reference(sibling_run_dir)
    assert isinstance(loaded, ReferencePolicy)
    return loaded


@pytest.fixture(scope="module")
def scene() -> dict[str, Any]:
    draw = np.random.default_rng(3)
    return {
        "image": draw.integers(0, 256, (60, 90, 3), dtype=np.uint8),
        "instruction": INSTRUCTION,
        "fov": FOV,
        "state": draw.normal(size=212),
        "state_mask": state_mask(Hands(right=True)),
        "action_mask": action_mask(Hands(right=True), valid_steps=14),
        "noise": draw.normal(size=(2, 16, 192)).astype(np.float32),
    }


# ---- the oracle -----------------------------------------------------------------------------------------------


def affine(w: Tensors, name: str, x: Tensor) -> Tensor:
    return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", torch.zeros(1))


def gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def gelu_tanh(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def silu(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-x))


def centred(x: Tensor) -> Tensor:
    return (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, correction=0, keepdim=True) + 1e-6)


def heads(x: Tensor, count: int) -> Tensor:
    return torch.stack(x.chunk(count, dim=-1))


def oracle_image(w: Tensors, pixels: Tensor) -> Tensor:
    p, side = "backbone.vision_tower.vision_model.", IMAGE_SIZE // 14
    patches = pixels.reshape(3, side, 14, side, 14).permute(1, 3, 0, 2, 4).reshape(side * side, -1)
    kernel = w[p + "embeddings.patch_embedding.weight"].reshape(VISION, -1)
    x = patches @ kernel.T + w[p + "embeddings.patch_embedding.bias"] + w[p + "embeddings.position_embedding.weight"]
    for i in range(V_LAYERS):
        q = f"{p}encoder.layers.{i}."
        y = centred(x) * w[q + "layer_norm1.weight"] + w[q + "layer_norm1.bias"]
        query, key, value = (heads(affine(w, f"{q}self_attn.{n}_proj", y), V_HEADS) for n in "qkv")
        attended = torch.softmax(query @ key.mT / math.sqrt(VISION / V_HEADS), -1) @ value
        x = x + affine(w, q + "self_attn.out_proj", torch.cat(list(attended), -1))
        y = centred(x) * w[q + "layer_norm2.weight"] + w[q + "layer_norm2.bias"]
        x = x + affine(w, q + "mlp.fc2", gelu_tanh(affine(w, q + "mlp.fc1", y)))
    x = centred(x) * w[p + "post_layernorm.weight"] + w[p + "post_layernorm.bias"]
    return affine(w, "backbone.multi_modal_projector.linear", x) / math.sqrt(WIDTH)


def oracle_cognition(w: Tensors, pixels: Tensor, ids: list[int], fov: Tensor) -> Tensor:
    p = "backbone.language_model.model."

    def norm(name: str, y: Tensor) -> Tensor:
        return y / torch.sqrt((y**2).mean(-1, keepdim=True) + 1e-6) * (1 + w[f"{p}{name}.weight"])

    token = affine(w, "fov_encoder.projector.2", gelu(affine(w, "fov_encoder.projector.0", fov)))
    words = w[p + "embed_tokens.weight"][ids]
    x = torch.cat([oracle_image(w, pixels), words, token, w["cognition_token"][None]]) * math.sqrt(WIDTH)
    half = HEAD_DIM // 2
    angle = torch.outer(torch.arange(1, len(x) + 1).double(), 1e4 ** -(torch.arange(half).double() / half))

    def turn(y: Tensor) -> Tensor:
        a, b = y[..., :half], y[..., half:]
        return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], -1)

    for i in range(LAYERS):
        q = f"layers.{i}."
        y = norm(q + "input_layernorm", x)
        query = turn(heads(affine(w, f"{p}{q}self_attn.q_proj", y), HEADS))
        key = turn(heads(affine(w, f"{p}{q}self_attn.k_proj", y), KV_HEADS))
        value = heads(affine(w, f"{p}{q}self_attn.v_proj", y), KV_HEADS)
        outputs = []
        for h in range(HEADS):
            group = h * KV_HEADS // HEADS
            logits = 50 * torch.tanh(query[h] @ key[group].T / math.sqrt(HEAD_DIM) / 50)
            outputs.append(torch.softmax(logits, -1) @ value[group])
        x = x + norm(q + "post_attention_layernorm", affine(w, f"{p}{q}self_attn.o_proj", torch.cat(outputs, -1)))
        y = norm(q + "pre_feedforward_layernorm", x)
        y = gelu_tanh(affine(w, f"{p}{q}mlp.gate_proj", y)) * affine(w, f"{p}{q}mlp.up_proj", y)
        x = x + norm(q + "post_feedforward_layernorm", affine(w, f"{p}{q}mlp.down_proj", y))
    return norm("norm", x)[-1:]


def oracle_noise(w: Tensors, x: Tensor, t: int, cognition: Tensor, s: Tensor, s_mask: Tensor, a_mask: Tensor) -> Tensor:
    p = "act_model.net."

    def mlp(name: str, y: Tensor, last: int, activation: Any) -> Tensor:
        for index in range(0, last + 1, 2):
            y = affine(w, f"{p}{name}.{index}", y)
            y = activation(y) if index < last else y
        return y

    frequency = torch.exp(-math.log(1e4) * torch.arange(128).double() / 128) * t
    z = affine(w, p + "z_embedder.linear", cognition)
    c = z + mlp("t_embedder.mlp", torch.cat([frequency.cos(), frequency.sin()])[None], 2, silu)
    state = mlp("state_embedder.projector", torch.cat([s * s_mask, s_mask])[None], 4, gelu)
    actions = mlp("x_embedder.projector", torch.cat([x * a_mask, a_mask], -1), 2, gelu)
    y = torch.cat([z, state, actions]) + w[p + "positional_embedding"]
    future = torch.full((len(y), len(y)), -torch.inf).triu(1).double()
    for i in range(BLOCKS):
        q = f"{p}blocks.{i}."
        shift1, scale1, gate1, shift2, scale2, gate2 = affine(w, q + "adaLN_modulation.1", silu(c)).chunk(6, -1)
        query, key, value = affine(w, q + "attn.qkv", centred(y) * (1 + scale1) + shift1).chunk(3, -1)
        query, key = (
            heads(v, EXPERT_HEADS)
            / torch.sqrt(heads(v, EXPERT_HEADS).var(-1, keepdim=True) + 1e-6)
            * w[f"{q}attn.{n}_norm.weight"]
            for v, n in ((query, "q"), (key, "k"))
        )
        logits = query @ key.mT / math.sqrt(EXPERT / EXPERT_HEADS) + future
        attended = torch.softmax(logits, -1) @ heads(value, EXPERT_HEADS)
        y = y + gate1 * affine(w, q + "attn.proj", torch.cat(list(attended), -1))
        y = y + gate2 * affine(
            w, q + "mlp.fc2", gelu_tanh(affine(w, q + "mlp.fc1", centred(y) * (1 + scale2) + shift2))
        )
    shift, scale = affine(w, p + "final_layer.adaLN_modulation.1", silu(c)).chunk(2, -1)
    return affine(w, p + "final_layer.linear", centred(y) * (1 + scale) + shift)[2:]


def oracle_alphas() -> list[float]:
    def bar(u: float) -> float:
        return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2

    product, alphas = 1.0, []
    for i in range(100):
        product *= 1 - min(1 - bar((i + 1) / 100) / bar(i / 100), 0.999)
        alphas.append(product)
    return alphas


def oracle_actions(
    w: Tensors, scene: dict[str, Any], cognition: Tensor, steps: int, guidance: float
) -> np.ndarray[Any, Any]:
    alphas, stride = oracle_alphas(), 100 // steps
    s, s_mask, a_mask = (
        torch.from_numpy(np.asarray(scene[k], dtype=np.float64)) for k in ("state", "state_mask", "action_mask")
    )
    uncond, chunks = w["act_model.net.z_embedder.uncondition"], []
    for start in scene["noise"]:
        x = torch.from_numpy(start).double()
        for t in reversed(range(0, 100, stride)):
            c, u = (oracle_noise(w, x, t, z, s, s_mask, a_mask) for z in (cognition, uncond))
            eps = u + guidance * (c - u)
            clean = (x - math.sqrt(1 - alphas[t]) * eps) / math.sqrt(alphas[t])
            before = alphas[t - stride] if t else 1.0
            x = math.sqrt(before) * clean + math.sqrt(1 - before) * eps
        chunks.append((x * a_mask).numpy())
    return np.stack(chunks)


def oracle_inputs(scene: dict[str, Any], policy: ReferencePolicy) -> tuple[Tensor, list[int], Tensor]:
    from PIL import Image

    image = Image.fromarray(scene["image"]).resize((336, 224), Image.Resampling.LANCZOS)
    square = np.asarray(image.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC)).astype(np.float64)
    pixels = torch.from_numpy(square / 127.5 - 1).permute(2, 0, 1)
    return pixels, [2, *policy.tokenizer.encode(INSTRUCTION), 4], torch.from_numpy(FOV)


# ---- the checks -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def expected_cognition(weights: Tensors, scene: dict[str, Any], policy: ReferencePolicy) -> Tensor:
    return oracle_cognition(weights, *oracle_inputs(scene, policy))


def relative_error(got: Any, expected: Any) -> float:
    return float(np.abs(np.asarray(got) - np.asarray(expected)).max() / np.abs(np.asarray(expected)).max())


def test_cognition_parity(policy: ReferencePolicy, scene: dict[str, Any], expected_cognition: Tensor) -> None:
    feature = policy.cognition(scene["image"], INSTRUCTION, FOV)
    assert feature.shape == (1, 1, WIDTH)
    assert relative_error(feature[0], expected_cognition) < 1e-5


@pytest.mark.parametrize("timestep", [0, 37, 99])
def test_noise_parity(
    policy: ReferencePolicy, weights: Tensors, scene: dict[str, Any], expected_cognition: Tensor, timestep: int
) -> None:
    rows = [torch.from_numpy(np.asarray(scene[k]))[None] for k in ("state", "state_mask", "action_mask")]
    noisy = torch.from_numpy(scene["noise"][:1])
    with torch.inference_mode():
        got = policy.model.expert(
            noisy, torch.tensor([timestep]), expected_cognition[None].float(), rows[0].float(), rows[1], rows[2]
        )
    want = oracle_noise(weights, noisy[0].double(), timestep, expected_cognition, *(row[0].double() for row in rows))
    assert relative_error(got[0], want) < 1e-5


@pytest.mark.parametrize(("steps", "guidance"), [(10, 5.0), (5, 1.5), (10, 1.0)])
def test_guided_action_parity(
    policy: ReferencePolicy,
    weights: Tensors,
    scene: dict[str, Any],
    expected_cognition: Tensor,
    steps: int,
    guidance: float,
) -> None:
    got = policy.predict(ChunkRequest(**scene, steps=steps, guidance=guidance))
    want = oracle_actions(weights, scene, expected_cognition, steps, guidance)
    assert relative_error(got, want) < 2e-5
    assert not got[:, :, :51].any()
    assert not got[:, 14:].any()


def test_parity_fails_with_a_true_rms_norm(
    policy: ReferencePolicy,
    weights: Tensors,
    scene: dict[str, Any],
    expected_cognition: Tensor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def rms(self: VarianceNorm, x: Tensor) -> Tensor:
        return torch.nn.functional.rms_norm(x, x.shape[-1:], self.weight, self.eps)

    monkeypatch.setattr(VarianceNorm, "forward", rms)
    want = oracle_actions(weights, scene, expected_cognition, 10, 5.0)
    assert relative_error(policy.predict(ChunkRequest(**scene)), want) > 1e-4


def test_parity_fails_without_soft_cap(
    policy: ReferencePolicy, scene: dict[str, Any], expected_cognition: Tensor
) -> None:
    uncapped = Vitra(replace(policy.config, language=replace(policy.config.language, softcap=None)))
    uncapped.load_state_dict(policy.model.state_dict())
    mutant = ReferencePolicy(uncapped, policy.tokenizer, None)
    assert relative_error(mutant.cognition(scene["image"], INSTRUCTION, FOV)[0], expected_cognition) > 1e-4


def newer_names(key: str, generation: int) -> str:
    """Names transformers 4.57 and 5 give to the same tensors."""
    key = key.replace("backbone.language_model.lm_head", "backbone.lm_head")
    key = key.replace("backbone.language_model.model.", "backbone.model.language_model.")
    key = key.replace("backbone.vision_tower.", "backbone.model.vision_tower.")
    key = key.replace("backbone.multi_modal_projector.", "backbone.model.multi_modal_projector.")
    return key.replace("vision_model.", "") if generation == 5 else key


@pytest.mark.parametrize("generation", [4, 5])
def test_checkpoints_of_newer_transformers_load_with_parity(
    policy: ReferencePolicy, weights: Tensors, sibling_run_dir: Path, tmp_path: Path, generation: int
) -> None:
    renamed = {newer_names(key, generation): tensor.float() for key, tensor in weights.items()}
    assert len(renamed.keys() & weights.keys()) < len(weights) / 1.5
    for name in ("config.json", "base/config.json", "base/tokenizer.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((sibling_run_dir / name).read_text())
    torch.save(renamed, tmp_path / "weights.pt")
    model = find_reference(tmp_path).load_model()
    for name, tensor in policy.model.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor)


def test_parity_of_names_with_the_3b_network(reference_keys: Callable[[int, int, int], list[str]]) -> None:
    keys = reference_keys(27, 26, 12)
    assert len(set(keys)) == len(keys) == 899
    with torch.device("meta"):
        parameters = dict(Vitra(preset("3b")).named_parameters())
    assert map_keys(keys).keys() == parameters.keys()
    assert sum(p.numel() for p in parameters.values()) == 3_174_149_808


def test_two_tensors_for_one_parameter_are_refused() -> None:
    keys = ["backbone.language_model.model.norm.weight", "backbone.model.language_model.norm.weight"]
    with pytest.raises(CheckpointKeysError, match="both stand for"):
        map_keys(keys)
