"""The network against recorded outputs of the reference implementation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vitra_policy import load_policy, load_reference
from vitra_policy.action_space import Hands, pad_state
from vitra_policy.checkpoint.reference import convert_reference
from vitra_policy.checkpoint.reference_keys import map_keys
from vitra_policy.image import pixel_values, shrink_short_side
from vitra_policy.model.config import preset
from vitra_policy.model.loss import LossDraws, LossSettings
from vitra_policy.model.reference_policy import ReferencePolicy
from vitra_policy.model.request import ChunkRequest
from vitra_policy.model.sampling import Conditions
from vitra_policy.model.variance_norm import VarianceNorm
from vitra_policy.model.vla import Vitra
from vitra_policy.tokenizer import full_ids

CASES = ("right", "left", "both", "nostate")
TIMESTEPS = (0, 1, 10, 37, 50, 90, 99)
RELATIVE = 1e-5
Golden = Mapping[str, Any]


@pytest.fixture(scope="module")
def run_dir(shared_dir: Path) -> Path:
    return shared_dir / "golden/vitra_tiny"


@pytest.fixture(scope="module")
def golden(run_dir: Path) -> Golden:
    with np.load(run_dir / "golden.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def policy(run_dir: Path) -> ReferencePolicy:
    loaded = load_reference(run_dir, mode="parity")
    assert isinstance(loaded, ReferencePolicy)
    return loaded


@pytest.fixture(autouse=True)
def no_gradients() -> Any:
    with torch.inference_mode():
        yield


def relative_error(got: Any, expected: Any) -> float:
    got, expected = np.asarray(got), np.asarray(expected)
    return float(np.abs(got - expected).max() / np.abs(expected).max())


def predict(policy: Any, golden: Golden, case: str, noise: str, **options: Any) -> np.ndarray[Any, Any]:
    fields = {name: golden[f"{case}/{name}"] for name in ("state", "state_mask", "action_mask")}
    observed = {"image": golden["image_raw"], "instruction": str(golden["instruction"]), "fov": golden["fov"]}
    result: np.ndarray[Any, Any] = policy.predict(ChunkRequest(**observed, **fields, noise=golden[noise], **options))
    return result


def expert_rows(golden: Golden, case: str, rows: int) -> list[torch.Tensor]:
    fields = (torch.from_numpy(golden[f"{case}/{name}"]) for name in ("state", "state_mask", "action_mask"))
    return [torch.stack([field] * rows) for field in fields]


def test_both_image_resizes_are_bit_equal(golden: Golden) -> None:
    np.testing.assert_array_equal(shrink_short_side(golden["image_raw"]), golden["image_resized"])
    np.testing.assert_array_equal(pixel_values(golden["image_raw"], 56), golden["pixel_values"][0])


def test_the_prompt_has_the_reference_token_ids(policy: ReferencePolicy, golden: Golden) -> None:
    ids = full_ids(str(golden["instruction"]), policy.tokenizer, policy.config.tokenizer, policy.config.vision.tokens)
    assert ids == golden["input_ids"][0].tolist()


def test_embeddings_of_the_whole_sequence_match(policy: ReferencePolicy, golden: Golden) -> None:
    pixels, ids, fov = (torch.from_numpy(golden[k]) for k in ("pixel_values", "input_ids", "fov"))
    embedded, valid = policy.model.embed(pixels, ids[:, policy.config.vision.tokens :], fov)
    assert valid is None
    np.testing.assert_allclose(embedded.numpy(), golden["inputs_embeds"], atol=1e-6, rtol=0)
    np.testing.assert_allclose(policy.model.language(embedded).numpy(), golden["hidden_last"], atol=1e-5, rtol=0)


def test_the_cognition_feature_matches(policy: ReferencePolicy, golden: Golden) -> None:
    feature = policy.cognition(golden["image_raw"], str(golden["instruction"]), golden["fov"])
    assert feature.shape == golden["cognition"].shape
    assert np.abs(feature - golden["cognition"]).max() <= 1e-6


def test_the_last_layer_for_one_row_gives_the_same_cognition(policy: ReferencePolicy, golden: Golden) -> None:
    pixels, ids, fov = (torch.from_numpy(golden[k]) for k in ("pixel_values", "input_ids", "fov"))
    feature = policy.model.cognition(pixels, ids[:, policy.config.vision.tokens :], fov)
    np.testing.assert_allclose(feature.numpy(), golden["cognition"], atol=2e-6, rtol=0)


def test_a_padded_batch_gives_every_row_its_own_answer(policy: ReferencePolicy, golden: Golden) -> None:
    ids = torch.from_numpy(golden["batch/input_ids"])[:, policy.config.vision.tokens :]
    pixels = torch.from_numpy(golden["pixel_values"]).expand(2, -1, -1, -1)
    fov = torch.from_numpy(golden["fov"]) * torch.tensor([[1.0], [0.8]])  # the second row was recorded at 0.8 times it
    for all_rows in (False, True):
        feature = policy.model.cognition(pixels, ids, fov, ids != 0, all_rows=all_rows)
        np.testing.assert_allclose(feature.numpy(), golden["batch/cognition"], atol=2e-6, rtol=0)


@pytest.mark.parametrize("timestep", TIMESTEPS)
def test_predicted_noise_matches(policy: ReferencePolicy, golden: Golden, timestep: int) -> None:
    cognition = torch.from_numpy(golden["cognition"]).expand(2, -1, -1)
    state, state_mask, action_mask = expert_rows(golden, "right", 2)
    noisy, times = torch.from_numpy(golden["eps/x"]), torch.full((2,), timestep)
    predicted = policy.model.expert(noisy, times, cognition, state, state_mask, action_mask)
    assert relative_error(predicted, golden[f"eps/t{timestep}"]) <= RELATIVE


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("case", CASES)
def test_guided_actions_match(policy: ReferencePolicy, golden: Golden, case: str, samples: int) -> None:
    actions = predict(policy, golden, case, f"{case}/S{samples}/noise", steps=10, guidance=5.0)
    assert actions.shape == (samples, 16, 192)
    assert relative_error(actions, golden[f"{case}/S{samples}/actions"]) <= RELATIVE


def test_weaker_guidance_matches(policy: ReferencePolicy, golden: Golden) -> None:
    actions = predict(policy, golden, "right", "right/S1/noise", guidance=1.5)
    assert relative_error(actions, golden["right/S1/actions_cfg1.5"]) <= RELATIVE


def test_the_training_loss_matches(policy: ReferencePolicy, golden: Golden) -> None:
    cognition = torch.from_numpy(golden["cognition"]).expand(2, -1, -1)
    state, state_mask, action_mask = expert_rows(golden, "right", 2)
    actions, noise, times = (torch.from_numpy(golden[f"loss/{k}"]) for k in ("actions", "noise", "t"))
    given = Conditions(cognition, state, state_mask, action_mask)
    loss = policy.model.loss(given, actions, LossSettings(repeats=1), LossDraws(noise, times))
    assert loss.total.item() == pytest.approx(float(golden["loss/out/loss"]), rel=1e-5)
    for ours, theirs in (("wrist", "6d"), ("fingers", "joints")):
        for side in ("left", "right"):
            expected = float(golden[f"loss/out/{side}_hand_{theirs}"])
            assert loss.components[f"{side}_{ours}"].item() == pytest.approx(expected, rel=1e-5)


def test_the_noise_schedule_matches(policy: ReferencePolicy, golden: Golden) -> None:
    updates = policy.model.diffusion.ddim(10)[::-1]
    assert [update.timestep for update in updates] == golden["ddim/timestep_map"].tolist()
    np.testing.assert_allclose([update.alpha for update in updates], golden["ddim/alphas_cumprod"], rtol=1e-12)
    np.testing.assert_allclose(policy.model.diffusion.alphas(), golden["train/alphas_cumprod"], rtol=1e-12)


def test_states_and_actions_are_normalised_like_the_reference(policy: ReferencePolicy, golden: Golden) -> None:
    assert policy.statistics is not None
    state = pad_state(policy.statistics.normalise_state(golden["state_raw"]))
    np.testing.assert_allclose(state, golden["both/state"], atol=1e-6)
    for case in CASES:
        metric = policy.statistics.denormalise_action(golden[f"{case}/S1/actions"][0], Hands(left=True, right=True))
        np.testing.assert_allclose(metric, golden[f"{case}/unnorm_S1"], rtol=1e-9)


def test_a_converted_checkpoint_answers_the_same(run_dir: Path, golden: Golden, tmp_path: Path) -> None:
    policy = load_policy(convert_reference(run_dir, tmp_path / "converted"))
    actions = predict(policy, golden, "both", "both/S3/noise")
    assert relative_error(actions, golden["both/S3/actions"]) <= RELATIVE


def test_a_true_rms_norm_in_the_expert_fails_parity(
    policy: ReferencePolicy, golden: Golden, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rms(self: VarianceNorm, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.rms_norm(x, x.shape[-1:], self.weight, self.eps)

    monkeypatch.setattr(VarianceNorm, "forward", rms)
    actions = predict(policy, golden, "right", "right/S1/noise")
    assert relative_error(actions, golden["right/S1/actions"]) > 10 * RELATIVE


def test_attention_without_soft_cap_fails_parity(policy: ReferencePolicy, golden: Golden) -> None:
    config = replace(policy.config, language=replace(policy.config.language, softcap=None))
    uncapped = Vitra(config)
    uncapped.load_state_dict(policy.model.state_dict())
    mutant = ReferencePolicy(uncapped, policy.tokenizer, policy.statistics)
    feature = mutant.cognition(golden["image_raw"], str(golden["instruction"]), golden["fov"])
    assert np.abs(feature - golden["cognition"]).max() > 1e-5
    actions = predict(mutant, golden, "right", "right/S1/noise")
    assert relative_error(actions, golden["right/S1/actions"]) > RELATIVE


def test_all_keys_of_the_published_checkpoint_map_one_to_one(shared_dir: Path) -> None:
    keys = json.loads((shared_dir / "facts/checkpoint_keys_3b.json").read_text())
    assert len(keys) == 899
    with torch.device("meta"):
        model = Vitra(preset("3b"))
    parameters = {name: list(parameter.shape) for name, parameter in model.named_parameters()}
    mapped = map_keys(keys)
    assert mapped.keys() == parameters.keys()
    assert set(keys) - set(mapped.values()) == {"backbone.language_model.lm_head.weight"}
    assert all(parameters[name] == keys[key] for name, key in mapped.items())
