from __future__ import annotations

import numpy as np
import pytest

from vitra_policy.model.diffusion import Diffusion
from vitra_training.training.blind import BlindBound
from vitra_training.training.config import LossConfig

STEPS = 3


def batch(rows: np.ndarray, side_first: int = 51) -> tuple[np.ndarray, np.ndarray]:
    """Chunks (N, steps, 192) of one hand, all of them valid."""
    actions = np.zeros((len(rows), STEPS, 192))
    mask = np.zeros(actions.shape, dtype=bool)
    actions[..., side_first : side_first + 51] = rows
    mask[..., side_first : side_first + 51] = True
    return actions, mask


def test_the_bound_is_the_error_of_the_best_linear_denoiser() -> None:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(STEPS * 51, STEPS * 51)) / 10
    rows = (rng.normal(size=(4000, STEPS * 51)) @ mixing + 0.3).reshape(-1, STEPS, 51)
    bound = BlindBound(STEPS, 100, LossConfig())
    bound.learn(*batch(rows[:3000]))
    found = bound.judge(*batch(rows[3000:]), robot=False)
    flat, errors = rows.reshape(len(rows), -1), []
    train, held = flat[:3000], flat[3000:]
    S, mean = np.cov(train.T, bias=True), train.mean(axis=0)
    for a in Diffusion(100).alphas()[::4]:
        noise = rng.normal(size=held.shape)
        noisy = np.sqrt(a) * held + np.sqrt(1 - a) * noise
        best = np.sqrt(1 - a) * np.linalg.inv(a * S + (1 - a) * np.eye(len(S)))
        by_dimension = ((noise - (noisy - np.sqrt(a) * mean) @ best) ** 2).mean(axis=0).reshape(STEPS, 51)
        errors.append((by_dimension[:, :6].mean() + by_dimension[:, 6:].mean()) / 2)
    assert found == pytest.approx(np.mean(errors), rel=0.02)


def test_robot_weights_and_what_never_moves() -> None:
    rng = np.random.default_rng(0)
    rows = np.zeros((500, STEPS, 51))
    rows[..., :6] = rng.normal(size=(500, STEPS, 6))
    bound = BlindBound(STEPS, 100, LossConfig())
    bound.learn(*batch(rows))
    human, robot = (bound.judge(*batch(rows), robot=kind) for kind in (False, True))
    assert human is not None
    assert robot == pytest.approx(1.6 * human, rel=1e-6)


def test_nothing_learnt_or_nothing_whole_is_no_bound() -> None:
    bound = BlindBound(STEPS, 100, LossConfig())
    actions, mask = batch(np.ones((4, STEPS, 51)))
    assert bound.judge(actions, mask, False) is None
    bound.learn(actions, mask)
    mask[:, -1] = False
    assert bound.judge(actions, mask, False) is None


def test_few_chunks_do_not_make_an_absurd_bound() -> None:
    rng = np.random.default_rng(0)
    bound = BlindBound(STEPS, 100, LossConfig())
    bound.learn(*batch(rng.normal(size=(4, STEPS, 51))))
    found = bound.judge(*batch(rng.normal(size=(50, STEPS, 51))), robot=False)
    assert found is not None
    assert found < 1.0  # better than to guess that there is no noise at all
