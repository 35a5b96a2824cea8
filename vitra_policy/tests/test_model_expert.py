"""The action expert: causality, timesteps per token, ablations, schedule, guidance, committed prefixes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from vitra_policy.model.config import ExpertConfig
from vitra_policy.model.diffusion import DdimStepsError, Diffusion
from vitra_policy.model.dit import Dit
from vitra_policy.model.sampling import Conditions, Denoising, Prefix, sample_actions

CONFIG = ExpertConfig(width=64, layers=3, heads=4)
COGNITION = 24


def randomised(config: ExpertConfig = CONFIG, seed: int = 0) -> Dit:
    torch.manual_seed(seed)
    expert = Dit(config, COGNITION).eval()
    with torch.no_grad():
        for parameter in expert.parameters():
            parameter.normal_(std=0.3 if parameter.ndim == 1 else 1.5 * parameter.shape[-1] ** -0.5)
    return expert


def inputs(batch: int = 2) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(1)
    mask = torch.zeros(batch, 16, 192, dtype=torch.bool)
    mask[:, :, :102] = True
    return {
        "noisy": torch.randn(batch, 16, 192, generator=draw),
        "timesteps": torch.tensor([70, 20])[:batch],
        "cognition": torch.randn(batch, 1, COGNITION, generator=draw),
        "state": torch.randn(batch, 212, generator=draw),
        "state_mask": torch.ones(batch, 212, dtype=torch.bool),
        "action_mask": mask,
    }


@torch.inference_mode()
def run(expert: Dit, **changes: Any) -> Tensor:
    noise: Tensor = expert(**(inputs() | changes))
    return noise


@torch.inference_mode()
def sample(expert: Dit, **options: Any) -> Tensor:
    given = inputs()
    return sample_actions(expert, Diffusion(), conditions(given), given["noisy"], Denoising(**options))


def conditions(given: dict[str, Tensor]) -> Conditions:
    return Conditions(given["cognition"], given["state"], given["state_mask"], given["action_mask"])


def test_the_state_is_read_together_with_the_cognition_where_asked() -> None:
    def token(config: ExpertConfig, cognition: float) -> Tensor:
        expert, given = randomised(config), inputs()
        with torch.inference_mode():
            feature = expert.embed_cognition(torch.full_like(given["cognition"], cognition))
            return expert.context(feature, given["state"], given["state_mask"])[1]

    assert torch.equal(token(CONFIG, 0.0), token(CONFIG, 1.0))
    asked = replace(CONFIG, state_sees_cognition=True)
    assert not torch.allclose(token(asked, 0.0), token(asked, 1.0))


@pytest.mark.parametrize("k", [1, 6, 15])
def test_noise_of_later_actions_never_changes_earlier_outputs(k: int) -> None:
    expert, given = randomised(), inputs()
    changed = given["noisy"].clone()
    changed[:, k:] += 3
    before, after = run(expert), run(expert, noisy=changed)
    assert torch.equal(before[:, :k], after[:, :k])
    assert not torch.allclose(before[:, k], after[:, k])


def test_later_noise_never_changes_earlier_sampled_actions() -> None:
    expert, given = randomised(), inputs()
    changed = given["noisy"].clone()
    changed[:, 9:] *= -1
    with torch.inference_mode():
        before, after = (
            sample_actions(expert, Diffusion(), conditions(given), noise) for noise in (given["noisy"], changed)
        )
    assert torch.equal(before[:, :9], after[:, :9])


def test_bidirectional_attention_lets_the_future_in() -> None:
    expert = randomised(replace(CONFIG, causal=False))
    changed = inputs()["noisy"].clone()
    changed[:, 15] += 3
    assert not torch.allclose(run(expert)[:, 0], run(expert, noisy=changed)[:, 0])


def test_values_behind_the_masks_have_no_influence() -> None:
    expert, given = randomised(), inputs()
    noisy, state = given["noisy"].clone(), given["state"].clone()
    noisy[:, :, 102:], state[:] = 99, 99
    masked = torch.zeros_like(given["state_mask"])
    assert torch.equal(run(expert, state_mask=masked), run(expert, noisy=noisy, state=state, state_mask=masked))


def test_a_model_without_state_has_one_token_less_and_ignores_it() -> None:
    expert = randomised(replace(CONFIG, use_state=False))
    assert expert.position_embedding.shape[0] == 17
    assert torch.equal(run(expert), run(expert, state=inputs()["state"] + 1))
    assert not any(name.startswith("state_in") for name, _ in expert.named_parameters())


def test_one_timestep_for_all_equals_the_same_timestep_per_token() -> None:
    expert, times = randomised(), inputs()["timesteps"]
    per_token = run(expert, timesteps=times[:, None].expand(-1, 18))
    torch.testing.assert_close(run(expert), per_token, rtol=1e-4, atol=1e-4)


def test_only_the_prefix_gets_timestep_zero() -> None:
    times = randomised().token_timesteps(torch.tensor([70, 20]), torch.tensor([3, 0]))
    assert times[0].tolist() == [70, 70, 0, 0, 0, *[70] * 13]
    assert times[1].tolist() == [20] * 18


def test_a_fresh_expert_predicts_nothing() -> None:
    torch.manual_seed(0)
    assert not run(Dit(CONFIG, COGNITION)).any()


def test_guidance_one_is_the_conditional_half_alone() -> None:
    expert = randomised()
    plain, nearly = sample(expert, guidance=1.0), sample(expert, guidance=1.0 + 1e-6)
    torch.testing.assert_close(plain, nearly, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(plain, sample(expert, guidance=5.0))


def test_guidance_keeps_the_state_in_both_halves() -> None:
    """With the unconditional feature as cognition, any scale gives the same answer, whatever the state."""
    expert = randomised()
    given = inputs() | {"cognition": expert.unconditional.detach().expand(2, 1, -1)}
    noise = inputs()["noisy"]
    with torch.inference_mode():
        how = (Denoising(guidance=1.0), Denoising(guidance=5.0))
        one, five = (sample_actions(expert, Diffusion(), conditions(given), noise, each) for each in how)
    torch.testing.assert_close(one, five, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("length", [0, 1, 4, 8])
def test_committed_actions_open_the_chunk_unchanged(length: int, clean: bool) -> None:
    expert = randomised()
    committed = torch.randn(2, length, 192) * inputs()["action_mask"][:, :length]
    actions = sample(expert, prefix=Prefix(committed, clean))
    assert torch.equal(actions[:, :length], committed)
    assert torch.isfinite(actions).all()
    free = sample(expert)
    assert torch.allclose(actions, free, rtol=1e-4, atol=1e-4) == (length == 0)


def test_masked_actions_come_out_as_zero() -> None:
    assert not sample(randomised())[:, :, 102:].any()


@pytest.mark.parametrize("steps", Diffusion().legal_steps())
def test_ddim_recovers_the_clean_signal_when_the_noise_is_known(steps: int) -> None:
    """With an oracle for the noise, every legal number of steps ends exactly at the clean actions."""
    diffusion, clean, noise = Diffusion(), 0.7, -1.3
    updates = diffusion.ddim(steps)
    assert len(updates) == steps
    x = math.sqrt(updates[0].alpha) * clean + math.sqrt(1 - updates[0].alpha) * noise
    for update in updates:
        x = update.keep * x + update.add * noise
    assert x == pytest.approx(clean, abs=1e-6)


def test_other_numbers_of_steps_are_refused_with_the_legal_ones() -> None:
    with pytest.raises(DdimStepsError, match="10, 12, 13"):
        Diffusion().ddim(11)
    with pytest.raises(DdimStepsError):
        Diffusion().ddim(0)


def test_noise_is_added_by_the_schedule() -> None:
    diffusion, clean = Diffusion(), torch.full((2, 1, 1), 2.0)
    noisy = diffusion.add_noise(clean, torch.ones(2, 1, 1), torch.tensor([0, 99]))
    alphas = diffusion.alphas()[[0, 99]]
    np.testing.assert_allclose(noisy.flatten(), np.sqrt(alphas) * 2 + np.sqrt(1 - alphas), rtol=1e-6)
    assert (np.diff(diffusion.alphas()) < 0).all()
