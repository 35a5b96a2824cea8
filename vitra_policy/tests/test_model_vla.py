"""The whole network: presets, sequence layout, ablations, training readiness."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from vitra_policy.errors import UnknownNameError
from vitra_policy.model.config import (
    ConfigError,
    ExpertConfig,
    LanguageConfig,
    VisionConfig,
    VitraConfig,
    expert_config,
    preset,
)
from vitra_policy.model.loss import ROBOT_WEIGHTS, Loss, LossDraws, LossSettings, LossWeights, component_loss
from vitra_policy.model.sampling import Conditions
from vitra_policy.model.vla import Vitra

TINY = VitraConfig(
    name="tiny",
    vision=VisionConfig(image_size=28, width=16, layers=1, heads=2, mlp_width=32),
    language=LanguageConfig(
        vocabulary=32, width=24, layers=2, heads=2, kv_heads=1, head_dim=8, mlp_width=48, query_scalar=8.0
    ),
    expert=ExpertConfig(width=32, layers=2, heads=2),
)


def build(config: VitraConfig = TINY, spread: float = 0.3) -> Vitra:
    torch.manual_seed(0)
    model = Vitra(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * spread * parameter.shape[-1] ** -0.5)
    return model


def observation(batch: int = 2, words: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(2)
    pixels = torch.rand(batch, 3, 28, 28, generator=draw) * 2 - 1
    return pixels, torch.randint(5, 32, (batch, words), generator=draw), torch.rand(batch, 2, generator=draw) + 0.5


def training_batch(batch: int = 3) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(3)
    mask = torch.zeros(batch, 16, 192, dtype=torch.bool)
    mask[:, :, 51:102] = True
    return {
        "actions": torch.randn(batch, 16, 192, generator=draw) * mask,
        "state": torch.randn(batch, 212, generator=draw),
        "state_mask": torch.ones(batch, 212, dtype=torch.bool),
        "action_mask": mask,
    }


def loss_of(
    model: Vitra, cognition: Tensor, batch: dict[str, Tensor], draws: LossDraws | None = None, **how: Any
) -> Loss:
    given = Conditions(cognition, batch["state"], batch["state_mask"], batch["action_mask"])
    return model.loss(given, batch["actions"], LossSettings(**how), draws)


@pytest.mark.parametrize(("name", "low", "high"), [("3b", 3.1e9, 3.2e9), ("mini", 10e6, 20e6), ("reduced", 30e6, 60e6)])
def test_presets_have_the_promised_size(name: str, low: float, high: float) -> None:
    with torch.device("meta"):
        model = Vitra(preset(name))
    assert low <= sum(p.numel() for p in model.parameters()) <= high
    assert not list(model.buffers())  # nothing to lose when built on the meta device


def test_reduced_is_the_3b_network_in_all_but_width() -> None:
    small, large = preset("reduced"), preset("3b")
    for part in ("vision", "language", "expert"):
        assert getattr(small, part).layers == getattr(large, part).layers
    assert small.vision.tokens == large.vision.tokens == 256


@pytest.mark.parametrize("name", ["3b", "mini", "reduced"])
def test_configurations_survive_json(name: str) -> None:
    assert VitraConfig.from_dict(preset(name).to_dict()) == preset(name)


def test_unknown_names_are_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'mini'"):
        preset("minni")
    with pytest.raises(UnknownNameError, match="DiT-B"):
        expert_config("DiT-X")
    with pytest.raises(UnknownNameError, match="Did you mean 'layers'"):
        VitraConfig.from_dict(preset("mini").to_dict() | {"vision": {"layrs": 3}})


def test_sizes_that_do_not_divide_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="expert.width by expert.heads"):
        replace(TINY, expert=ExpertConfig(width=33, heads=2))


def test_the_sequence_is_image_text_fov_cognition_padding() -> None:
    model, (pixels, ids, fov) = build(), observation()
    valid = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]], dtype=torch.bool)
    with torch.inference_mode():
        embedded, mask = model.embed(pixels, ids, fov, valid)
        plain, none = model.embed(pixels[1:], ids[1:, :2], fov[1:])
    assert none is None
    assert mask is not None
    assert mask.sum(1).tolist() == [4 + 5 + 2, 4 + 2 + 2]
    torch.testing.assert_close(embedded[1, :8], plain[0], rtol=0, atol=1e-6)
    assert torch.equal(embedded[:, -1][0], model.cognition_token)


def test_padding_never_changes_an_answer() -> None:
    model, (pixels, ids, fov) = build(), observation()
    valid = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]], dtype=torch.bool)
    with torch.inference_mode():
        batch = model.cognition(pixels, ids, fov, valid)
        alone = model.cognition(pixels[1:], ids[1:, :2], fov[1:])
    torch.testing.assert_close(batch[1], alone[0], rtol=1e-5, atol=1e-5)


def test_one_row_of_the_last_layer_equals_all_rows() -> None:
    model, given = build(), observation()
    with torch.inference_mode():
        torch.testing.assert_close(
            model.cognition(*given), model.cognition(*given, all_rows=True), rtol=1e-5, atol=1e-5
        )


def test_every_token_sees_every_other() -> None:
    """The trunk's mask is bidirectional: the last word changes the feature of the first image patch."""
    model, (pixels, ids, fov) = build(), observation(1)
    other = ids.clone()
    other[0, -1] = (other[0, -1] + 1) % 32
    with torch.inference_mode():
        first, second = (model.language(model.embed(pixels, i, fov)[0])[:, 0] for i in (ids, other))
    assert not torch.equal(first, second)


def test_a_model_without_fov_ignores_it_and_has_one_token_less() -> None:
    model, (pixels, ids, fov) = build(replace(TINY, use_fov=False)), observation()
    with torch.inference_mode():
        assert model.embed(pixels, ids, fov)[0].shape[1] == 4 + 5 + 1
        assert torch.equal(model.cognition(pixels, ids, fov), model.cognition(pixels, ids, fov + 1))
        with_fov = build()
        assert not torch.equal(with_fov.cognition(pixels, ids, fov), with_fov.cognition(pixels, ids, fov + 1))


def test_a_fresh_cognition_token_is_the_embedding_of_id_ten() -> None:
    model = Vitra(TINY)
    assert torch.equal(model.cognition_token, model.language.embedding.weight[10])


def test_gradient_checkpointing_changes_no_gradient() -> None:
    gradients = []
    for enabled in (False, True):
        model = build().train()
        model.set_gradient_checkpointing(enabled)
        torch.manual_seed(7)
        loss = loss_of(model, model.cognition(*observation(3)), training_batch(), repeats=2)
        loss.total.backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    for name, gradient in gradients[0].items():
        assert gradient is not None, name
        torch.testing.assert_close(gradient, gradients[1][name], msg=name)


def test_a_frozen_image_tower_gets_no_gradient_and_the_projector_does() -> None:
    model = build().train()
    model.freeze_vision()
    loss_of(model, model.cognition(*observation(3)), training_batch(), repeats=1).total.backward()
    assert all(p.grad is None for p in model.vision.parameters())
    assert model.projector.weight.grad is not None


def test_the_network_runs_under_bf16_autocast() -> None:
    model, given = build().train(), observation(3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        feature = model.cognition(*given)
    loss = loss_of(model, feature, training_batch(), repeats=1)
    loss.total.backward()
    assert loss.total.dtype == torch.float32
    with torch.inference_mode():
        torch.testing.assert_close(feature.float(), model.cognition(*given), rtol=0.1, atol=0.2)


def test_the_loss_goes_down() -> None:
    model, batch, given = build(spread=0.0).train(), training_batch(), observation(3)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    torch.manual_seed(8)
    history = []
    for _ in range(40):
        loss = loss_of(model, model.cognition(*given), batch, repeats=4).total
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(loss.item())
    assert sum(history[-5:]) < 0.8 * sum(history[:5])


def test_repeats_are_ordered_repeat_by_repeat() -> None:
    model, batch, cognition = build(), training_batch(2), torch.randn(2, 1, 24)
    noise, times = torch.randn(6, 16, 192), torch.randint(0, 100, (6,))
    with torch.inference_mode():
        whole = loss_of(model, cognition, batch, LossDraws(noise, times), repeats=3).total
        parts = [
            loss_of(model, cognition, batch, LossDraws(noise[i : i + 2], times[i : i + 2]), repeats=1).total
            for i in (0, 2, 4)
        ]
    torch.testing.assert_close(whole, torch.stack(parts).mean())


def test_cognition_dropout_acts_in_training_only() -> None:
    model, batch = build(), training_batch()
    fixed = LossDraws(torch.randn(3, 16, 192), torch.tensor([5, 50, 90]))
    first, second = torch.randn(3, 1, 24), torch.randn(3, 1, 24)
    with torch.inference_mode():
        model.train()
        dropped = [loss_of(model, c, batch, fixed, repeats=1, cognition_dropout=1.0).total for c in (first, second)]
        assert torch.equal(*dropped)
        model.eval()
        kept = [loss_of(model, c, batch, fixed, repeats=1, cognition_dropout=1.0).total for c in (first, second)]
        assert not torch.equal(*kept)


def test_a_clean_prefix_carries_no_loss_and_no_noise() -> None:
    """Training-time real-time chunking: noise drawn for the committed steps is neither seen nor predicted."""
    model, batch, cognition = build(), training_batch(), torch.randn(3, 1, 24)
    noise, times = torch.randn(3, 16, 192), torch.tensor([5, 50, 90])
    torch.manual_seed(1)
    lengths = torch.randint(0, 5, (3,))
    assert lengths.max() > 0
    other = torch.where((torch.arange(16) < lengths[:, None])[..., None], noise + 7, noise)
    totals = []
    for drawn in (noise, other):
        torch.manual_seed(1)
        with torch.inference_mode():
            loss = loss_of(model, cognition, batch, LossDraws(drawn, times), repeats=1, max_prefix=4)
        totals.append(loss.total)
    assert torch.equal(*totals)


def test_components_are_averaged_before_they_are_weighted() -> None:
    mask = torch.zeros(2, 16, 192, dtype=torch.bool)
    mask[0, :, 51:102] = True  # right hand of sample 0, 16 steps
    mask[1, :4, :51] = True  # left hand of sample 1, 4 steps
    predicted = torch.zeros(2, 16, 192)
    predicted[0, :, 51:57], predicted[0, :, 57:102] = 1.0, 2.0
    predicted[1, :, :6], predicted[1, :, 6:51] = 3.0, 4.0
    predicted[:, :, 102:] = 100.0
    for weights in (LossWeights(), ROBOT_WEIGHTS):
        loss = component_loss(predicted, torch.zeros_like(predicted), mask, weights)
        wrist, fingers = weights.wrist, weights.fingers
        want = (16 * (wrist * 1 + fingers * 4) + 4 * (wrist * 9 + fingers * 16)) / 40
        assert loss.total.item() == pytest.approx(want)
    assert {k: v.item() for k, v in loss.components.items()} == {
        "left_wrist": 9.0,
        "left_fingers": 16.0,
        "right_wrist": 1.0,
        "right_fingers": 4.0,
    }


def test_a_batch_without_valid_actions_has_zero_loss() -> None:
    zeros = torch.zeros(1, 16, 192)
    assert component_loss(zeros + 1, zeros, zeros.bool()).total == 0
