"""Points of a study: 3, 2, 1 for the top three of each page, averaged, with intervals over participants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vitra_evaluation.stats.intervals import Interval
from vitra_evaluation.study.material import StudyError
from vitra_evaluation.study.votes import Vote

POINTS = (3, 2, 1)
_DRAWS = 10_000
_SEED = 7  # fixed: the same votes give the same interval


@dataclass(frozen=True, slots=True)
class Score:
    """Result of one model.

    Attributes:
        model: Its name.
        mean: Points per page, 0 to 3.
        interval: 95 %, from resampling participants, and their pages with them.
        firsts: How often it was ranked first.
        pages: Pages it was on.
    """

    model: str
    mean: float
    interval: Interval
    firsts: int
    pages: int


def scores(votes: Sequence[Vote], models: Sequence[str]) -> list[Score]:
    """Score of every model, best first.

    Raises:
        StudyError: no votes yet.
    """
    if not votes:
        raise StudyError("There are no votes yet.")
    participants = sorted({v.participant for v in votes})
    totals, pages = np.zeros((len(participants), len(models))), np.zeros(len(participants))
    for vote in votes:
        row = participants.index(vote.participant)
        pages[row] += 1
        for points, model in zip(POINTS, vote.ranked, strict=False):
            totals[row, list(models).index(model)] += points
    rng = np.random.default_rng(_SEED)
    # People differ more than pages do: whoever votes is drawn whole, not vote by vote.
    drawn = rng.integers(len(participants), size=(_DRAWS, len(participants)))
    means = totals[drawn].sum(axis=1) / pages[drawn].sum(axis=1)[:, None]
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    found = [
        Score(
            model,
            float(totals[:, i].sum() / pages.sum()),
            Interval(float(low[i]), float(high[i])),
            sum(v.first == model for v in votes),
            int(pages.sum()),
        )
        for i, model in enumerate(models)
    ]
    return sorted(found, key=lambda s: (-s.mean, s.model))
