"""How far off a network is on held-out looks, while it trains."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vitra_policy.action_space import HAND, SIDES, TRANSLATION, Hands
from vitra_policy.model.sampling import Conditions, Denoising
from vitra_policy.places import GEOMETRY, TURN
from vitra_policy.statistics import Statistics
from vitra_training.imitation.batches import ActingBatch, Batches, Indices
from vitra_training.imitation.learner import Learner, cognition


@torch.inference_mode()
def judge(learner: Learner, batches: Batches, statistics: Statistics, looks: int = 192) -> dict[str, float]:
    """Median errors on held-out looks [mm]: of places and, while acting, of the wrist at the end of the chunk.

    Stills and looks of episodes apart; the wrist by what is seen, told the true places, and if it stood still.

    Args:
        learner: What is judged.
        batches: The held-out ones.
        statistics: Denormalise.
        looks: How many.
    """
    rng = np.random.default_rng(0)
    learner.eval()
    found: dict[str, float] = {}
    for name, pool in zip(("still", "moving"), batches.held_out, strict=True):
        if not len(pool):
            continue
        indices = rng.choice(pool, min(looks, len(pool)), replace=False)
        if batches.said is None:
            seen = batches.seeing(indices)
            predicted, truth = learner.places(learner.tokens(seen.seen, seen.text)), seen.places
        else:
            batch = batches.acting(indices)
            predicted, truth = batch.said, batch.places
            wanted = _ends_m(batch.actions, batches.hand[indices], statistics)
            for told in (False, True):
                ends = _ends_m(_chunks(learner, batch, told), batches.hand[indices], statistics)
                found[f"{name}_{'told_' if told else ''}wrist_mm"] = _median_mm(ends - wanted)
            found[f"{name}_wrist_standing_still_mm"] = _median_mm(wanted)
        error = (predicted - truth).cpu().numpy() * batches.places_std
        for index, what in enumerate(GEOMETRY):
            found[f"{name}_{what}_mm"] = _median_mm(error[:, 3 * index : 3 * index + 3])
        found[f"{name}_turn"] = float(np.median(np.linalg.norm(error[:, TURN], axis=-1)))
    learner.train()
    return found


def _chunks(learner: Learner, batch: ActingBatch, told: bool) -> torch.Tensor:
    """Normalised chunks out of always the same noise."""
    device = batch.state.device
    feature = cognition(learner, batch, torch.full((len(batch.state),), told, device=device))
    noise = torch.randn(batch.actions.shape, generator=torch.Generator().manual_seed(0)).to(device)
    given = Conditions(feature, batch.state, batch.state_mask, batch.action_mask)
    return learner.vitra.denoise(given, noise, Denoising(guidance=1.0))


def _ends_m(normalised: torch.Tensor, hands: Indices, statistics: Statistics) -> NDArray[np.float64]:
    """How far each acting wrist has gone when its chunk ends (n, 3)."""
    out = np.empty((len(hands), 3))
    for index, side in enumerate(SIDES):
        acts = hands == index
        if acts.any():
            chunks = normalised.cpu().numpy()[acts].astype(np.float64)
            actions = statistics.denormalise_action(chunks, Hands(side == "left", side == "right"))
            out[acts] = actions[..., HAND[side]][..., TRANSLATION].sum(axis=1)
    return out


def _median_mm(error_m: NDArray[np.floating[Any]]) -> float:
    return float(np.median(np.linalg.norm(error_m, axis=-1)) * 1e3)
