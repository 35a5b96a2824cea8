"""Learning rates, the freeze, and who is decayed."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch

from vitra_policy.model.vla import Vitra
from vitra_training.training.config import OptimizerConfig
from vitra_training.training.optimizer import apply_rates, is_backbone, make_optimizer, named_states
from vitra_training.training.schedule import rates_at

FREEZE = OptimizerConfig(lr_backbone=1e-5, lr_expert=1e-4, backbone_freeze_steps=5)


def test_the_freeze_has_no_leak_at_its_first_step() -> None:
    rates = [rates_at(step, 100, FREEZE) for step in range(8)]
    assert [rate.backbone for rate in rates] == [0.0] * 5 + [1e-5] * 3
    assert all(rate.expert == 1e-4 for rate in rates)


def test_a_frozen_backbone_keeps_weights_and_gathers_no_adam_moments(tiny: ModuleType) -> None:
    torch.manual_seed(0)
    vitra = Vitra(tiny.TINY)
    vitra.freeze_vision()
    optimizer = make_optimizer(vitra.named_parameters(), FREEZE)
    before = {name: p.detach().clone() for name, p in vitra.named_parameters()}
    for step in range(6):
        for parameter in vitra.parameters():
            parameter.grad = torch.ones_like(parameter) if parameter.requires_grad else None
        apply_rates(optimizer, rates_at(step, 100, FREEZE))
        optimizer.step()
        moved = {n for n, p in vitra.named_parameters() if not torch.equal(p.detach(), before[n])}
        started = {name for name, _, state in named_states(optimizer) if state}
        trunk = {name for name in before if is_backbone(name) and not name.startswith("vision.")}
        if step < 5:
            assert not moved & trunk
            assert not started & trunk
        else:
            assert trunk <= moved
    assert not any(name.startswith("vision.") for name in moved)


def test_rates_depend_on_the_step_alone() -> None:
    config = OptimizerConfig(shape="cosine", warmup_steps=3, backbone_freeze_steps=4)
    forward = [rates_at(step, 20, config) for step in range(20)]
    assert [rates_at(step, 20, config) for step in reversed(range(20))] == forward[::-1]
    assert forward[0].expert < forward[2].expert
    assert 0 < forward[4].backbone < forward[7].backbone
    assert rates_at(20, 20, config).expert == pytest.approx(0, abs=1e-12)


def test_the_frozen_part_does_not_count_in_the_clipped_norm(tiny: ModuleType) -> None:
    vitra = Vitra(tiny.TINY)
    optimizer = make_optimizer(vitra.named_parameters(), FREEZE)
    for parameter in vitra.parameters():
        parameter.grad = torch.ones_like(parameter)
    apply_rates(optimizer, rates_at(0, 100, FREEZE))
    counted = {name for name, parameter in vitra.named_parameters() if parameter.grad is not None}
    assert not any(is_backbone(name) for name in counted)
    assert "cognition_token" in counted
    assert "fov_encoder.fc1.weight" in counted


@pytest.mark.parametrize("reference", [False, True])
def test_vectors_are_not_decayed_and_the_cognition_token_only_as_in_the_reference(
    tiny: ModuleType, reference: bool
) -> None:
    vitra = Vitra(tiny.TINY)
    optimizer = make_optimizer(vitra.named_parameters(), OptimizerConfig(decay_cognition_token=reference))
    decay = {name: group["weight_decay"] for group in optimizer.param_groups for name in group["names"]}
    assert decay["language.layers.0.gate.weight"] == 0.1
    assert decay["expert.blocks.0.qkv.weight"] == 0.1
    assert decay["expert.blocks.0.qkv.bias"] == 0
    assert decay["language.norm.weight"] == 0
    assert decay["cognition_token"] == (0.1 if reference else 0)
