"""How many of a run's episodes are right, with intervals, and how far judges agree."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from vitra_evaluation.stats.agreement import Agreement, cohens_kappa
from vitra_evaluation.stats.intervals import Interval, wilson
from vitra_training.labeling.audit.judgements import AuditJudgement

PAPER_ACCEPTED = 0.88
"""The paper's share of episodes that people accepted (supplementary material)."""


@dataclass(frozen=True, slots=True)
class AcceptedShare:
    """A share of episodes, with Wilson's 95 % interval."""

    what: str
    accepted: int
    of: int
    interval: Interval

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.accepted / self.of


@dataclass(frozen=True, slots=True)
class PairOfJudges:
    """Two judges over the episodes that both have judged."""

    first: str
    second: str
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class AuditScore:
    """The result of an audit."""

    shares: tuple[AcceptedShare, ...]
    """Segment and caption right, segment right, caption right; then the first of each judge."""
    pairs: tuple[PairOfJudges, ...]


def score(judgements: Sequence[AuditJudgement]) -> AuditScore | None:
    """The result so far; None without a judgement.

    An episode counts once: it is right where every judge who saw it said so.
    """
    if not judgements:
        return None
    by_episode: dict[str, list[AuditJudgement]] = {}
    for one in judgements:
        by_episode.setdefault(one.episode, []).append(one)
    groups = list(by_episode.values())
    shares = [
        _share("segment and caption right", [all(one.accepted for one in group) for group in groups]),
        _share("segment right", [all(one.segment == "yes" for one in group) for group in groups]),
        _share("caption right", [all(one.caption == "yes" for one in group) for group in groups]),
    ]
    judges = sorted({one.judge for one in judgements})
    answers = {judge: {one.episode: one.accepted for one in judgements if one.judge == judge} for judge in judges}
    shares += [_share(f"accepted by {judge}", list(answers[judge].values())) for judge in judges]
    pairs = []
    for a, b in itertools.combinations(judges, 2):
        both = sorted(set(answers[a]) & set(answers[b]))
        if both:
            found = cohens_kappa([answers[a][id] for id in both], [answers[b][id] for id in both])
            pairs.append(PairOfJudges(a, b, found))
    return AuditScore(tuple(shares), tuple(pairs))


def lines(result: AuditScore | None, drawn: int, of: int) -> list[str]:
    """The result in words.

    Args:
        result: None: nothing was judged.
        drawn: Size of the sample.
        of: Number of episodes.
    """
    if result is None:
        return [f"Nothing judged yet; {drawn} of {of} episodes were drawn."]
    said = [
        f"{s.what}: {100 * s.share:.1f} % ({100 * s.interval.low:.1f} to {100 * s.interval.high:.1f}), "
        f"{s.accepted} of {s.of} episodes"
        for s in result.shares
    ]
    said += [
        f"{p.first} and {p.second}: kappa {p.agreement.kappa:.2f} ({p.agreement.interval.low:.2f} to "
        f"{p.agreement.interval.high:.2f}), {p.agreement.items} episodes judged by both"
        for p in result.pairs
    ]
    return [*said, f"drawn: {drawn} of {of} episodes; the paper reports {100 * PAPER_ACCEPTED:.0f} % accepted"]


def _share(what: str, right: list[bool]) -> AcceptedShare:
    return AcceptedShare(what, sum(right), len(right), wilson(sum(right), len(right)))
