"""The loss of parts of a batch, its weights, and the noise it draws."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from vitra_policy.action_space import FINGERS, HAND, SIDES, WRIST
from vitra_policy.model.vla import Vitra
from vitra_training.datasets.samples.loader import Loader, LoaderOptions
from vitra_training.training.batch import TrainBatch
from vitra_training.training.config import LossConfig
from vitra_training.training.data import open_training_data
from vitra_training.training.examples import Examples, draw
from vitra_training.training.network import TrainingNetwork, valid_components
from vitra_training.training.trainer import Collate

PREFIXED = LossConfig(repeats=3, max_prefix=4)


@pytest.fixture(scope="module")
def examples(tiny: ModuleType, human_data: Path, runs: Path) -> Examples:
    settings = tiny.settings(human_data, runs, "unused")
    data = open_training_data(settings.data, 0, 16, runs / "statistics", lambda line: None)
    return Examples(data.train, tiny.TINY, PREFIXED, seed=3)


def batch_of(examples: Any, size: int, start: int = 0, rank: int = 0, world: int = 1) -> TrainBatch:
    options = LoaderOptions(batch_size=size, workers=0, rank=rank, world_size=world)
    collate: Any = Collate(0)
    batch: Any = next(iter(Loader(examples, options, start, collate)))
    return batch


def network(tiny: ModuleType, loss: LossConfig) -> TrainingNetwork:
    torch.manual_seed(1)
    vitra = Vitra(tiny.TINY)
    with torch.no_grad():
        for parameter in vitra.expert.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return TrainingNetwork(vitra.train(), loss)


def test_noise_depends_on_seed_and_place_only(tiny: ModuleType, examples: Examples) -> None:
    whole = batch_of(examples, 4)
    parts = [batch_of(examples, 2, rank=rank, world=2) for rank in (0, 1)]
    for name in ("noise", "timesteps", "dropped", "prefix_lengths"):
        assert torch.equal(getattr(whole, name), torch.cat([getattr(part, name) for part in parts], dim=1))
    assert not np.array_equal(draw(3, 0, tiny.TINY, PREFIXED).noise, draw(3, 1, tiny.TINY, PREFIXED).noise)
    assert not np.array_equal(draw(3, 0, tiny.TINY, PREFIXED).noise, draw(4, 0, tiny.TINY, PREFIXED).noise)


def test_prefixes_and_dropout_are_drawn_as_configured(tiny: ModuleType) -> None:
    draws = [draw(0, place, tiny.TINY, LossConfig(repeats=8, max_prefix=2)) for place in range(300)]
    lengths = np.concatenate([d.prefix_lengths for d in draws])
    assert set(lengths.tolist()) == {0, 1, 2}
    assert np.concatenate([d.dropped for d in draws]).mean() == pytest.approx(0.1, abs=0.03)
    times = np.concatenate([d.timesteps for d in draws])
    assert (times.min(), times.max()) == (0, 99)


def test_parts_weighted_by_their_count_add_up_to_the_loss_of_the_whole(tiny: ModuleType, examples: Examples) -> None:
    model = network(tiny, PREFIXED)
    whole = batch_of(examples, 6)
    parts = [batch_of(examples, 3, rank=rank, world=2) for rank in (0, 1)]
    counts = [valid_components(part, PREFIXED.max_prefix) for part in parts]
    total = sum(model(part)[0] * count for part, count in zip(parts, counts, strict=True)) / sum(counts)
    torch.testing.assert_close(total, model(whole)[0], rtol=0, atol=1e-6)
    assert counts[0] != counts[1]


def test_human_and_robot_weights_hold_per_sample(tiny: ModuleType, examples: Examples) -> None:
    loss = LossConfig(repeats=1)
    model, batch = network(tiny, loss), batch_of(examples, 4)
    human, components = model(batch)
    robot, _ = model(replace(batch, is_robot=torch.ones_like(batch.is_robot)))
    counts = {
        f"{side}_{name}": batch.action_mask[..., HAND[side].start + part.start].sum() * len(batch.noise)
        for side in SIDES
        for name, part in (("wrist", WRIST), ("fingers", FINGERS))
    }
    total = sum(counts.values())
    weights = {name: 1.6 if "wrist" in name else 0.4 for name in counts}
    expected = sum(weights[name] * components[name] * count for name, count in counts.items()) / total
    torch.testing.assert_close(robot, expected)
    torch.testing.assert_close(human, sum(components[name] * count for name, count in counts.items()) / total)
    mixed, _ = model(replace(batch, is_robot=torch.tensor([True, False, True, False])))
    assert min(human, robot) < mixed < max(human, robot)


def test_the_vision_tower_gets_no_gradient_and_everything_else_does(tiny: ModuleType, examples: Examples) -> None:
    model = network(tiny, PREFIXED)
    model(batch_of(examples, 4))[0].backward()
    silent = {name for name, p in model.vitra.named_parameters() if p.grad is None}
    assert silent == {name for name, _ in model.vitra.named_parameters() if name.startswith("vision.")}


def test_gradient_checkpointing_and_bf16_keep_the_loss(tiny: ModuleType, examples: Examples) -> None:
    model, batch = network(tiny, PREFIXED), batch_of(examples, 4)
    plain = model(batch)[0]
    model.vitra.set_gradient_checkpointing(True)
    torch.testing.assert_close(model(batch)[0], plain)
    narrow = TrainingNetwork(model.vitra, PREFIXED, bf16=True)(batch)[0]
    assert narrow != plain
    torch.testing.assert_close(narrow, plain, rtol=0.02, atol=0)
