"""Which policies differ: every pair, what was declared about it, and what may be said."""

from __future__ import annotations

import itertools
from collections import Counter

from vitra_evaluation.plan.plan import Robot
from vitra_evaluation.plan.schedule import Slot
from vitra_evaluation.report.rows import Figures, Row, bounds, counts
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.sequential_stop import paired_outcomes
from vitra_evaluation.stats.comparison import (
    barnard,
    boschloo,
    count_pairs,
    difference_interval,
    holm,
    mcnemar_exact,
    sign_flip_exact,
)
from vitra_evaluation.stats.intervals import Interval
from vitra_evaluation.stats.letters import compact_letters
from vitra_evaluation.stats.power import smallest_difference
from vitra_evaluation.stats.sequential import SequentialPlan, anytime_difference, anytime_p
from vitra_evaluation.stats.verdict import Verdict


def comparisons(session: Session, policies: list[str], rows: list[Row]) -> list[Figures]:
    """Every pair of policies; those that were declared are adjusted together, and only they can show something.

    Args:
        session: Says which comparisons were declared.
        policies: Names, in the report's order.
        rows: Trials that count.
    """
    found: list[Figures] = []
    for first, second in itertools.combinations(policies, 2):
        declared = next((p for p in session.plan.declared_pairs if set(p) == {first, second}), None)
        one, other = declared or (first, second)
        a, b = paired_outcomes(session, one, other)
        if a:
            found.append(_comparison(session, one, other, rows) | {"declared": declared is not None})
    spec = session.plan.sequential
    which = "p_paired" if spec is None else "p_anytime"
    alpha = session.plan.comparisons.alpha if spec is None else spec.alpha
    planned = [entry for entry in found if entry["declared"]]
    for entry, adjusted in zip(planned, holm([e[which] for e in planned]), strict=True):
        entry["p_adjusted"] = round(adjusted, 6)
    for entry in found:
        entry.setdefault("p_adjusted", None)
        entry["alpha"] = alpha
        entry["verdict"] = _verdict(session, entry, rows, len(planned)).sentence()
        entry["is_shown"] = _verdict(session, entry, rows, len(planned)).is_shown
        if spec is not None:
            outcomes = paired_outcomes(session, entry["first"], entry["second"])
            plan = SequentialPlan(spec.alpha, sum(cell.trials for cell in session.plan.cells))
            entry["sequential"] = str(plan.decide(*outcomes))
            entry["sequential_alpha"] = spec.alpha
            entry["anytime_interval"] = [round(x, 6) for x in anytime_difference(*outcomes, spec.alpha)]
    return found


def _comparison(session: Session, first: str, second: str, rows: list[Row]) -> Figures:
    a, b = paired_outcomes(session, first, second)
    k1, n1 = counts([r for r in rows if r.policy == first])
    k2, n2 = counts([r for r in rows if r.policy == second])
    pairs, groups = count_pairs(a, b), _wins_by_start(session, first, second, rows)
    return {
        "first": first,
        "second": second,
        "pairs": pairs.pairs,
        "starts": len(groups),
        "both": pairs.both,
        "only_first": pairs.only_first,
        "only_second": pairs.only_second,
        "neither": pairs.neither,
        "difference": round(k1 / n1 - k2 / n2, 6),
        "difference_interval": bounds(difference_interval(k1, n1, k2, n2)),
        "p_paired": round(mcnemar_exact(pairs.only_first, pairs.only_second), 6),
        "p_by_start": round(sign_flip_exact(groups), 6),
        "p_barnard": round(barnard(k1, n1, k2, n2), 6),
        "p_boschloo": round(boschloo(k1, n1, k2, n2), 6),
        "p_anytime": round(anytime_p(a, b), 6),
    }


def _verdict(session: Session, entry: Figures, rows: list[Row], planned: int) -> Verdict:
    both = [r for r in rows if r.policy in (entry["first"], entry["second"])]
    k, n = counts(both)
    interval = Interval(*entry["difference_interval"])
    if session.plan.sequential is not None:
        outcomes = paired_outcomes(session, entry["first"], entry["second"])
        interval = Interval(*anytime_difference(*outcomes, entry["alpha"]))
    detectable = smallest_difference(entry["pairs"], k / n, alpha=entry["alpha"] / max(planned, 1))
    p = entry["p_adjusted"] if entry["declared"] else entry["p_paired"]
    return Verdict(
        entry["first"], entry["second"], entry["difference"], interval, p, entry["alpha"], entry["declared"], detectable
    )


def _start_of(session: Session, slot: Slot) -> tuple[str, str, str, int]:
    """What makes two blocks the same experiment: the start state; a person sets up the same one more than once."""
    return slot.task, slot.thing, slot.layout, slot.seed if session.plan.robot is Robot.SIM else 0


def _wins_by_start(session: Session, first: str, second: str, rows: list[Row]) -> list[int]:
    """Wins of one policy minus wins of the other in every start state that both met."""
    blocks: dict[int, dict[str, Row]] = {}
    for row in rows:
        blocks.setdefault(row.slot.block, {})[row.policy] = row
    groups: Counter[tuple[str, str, str, int]] = Counter()
    for block in blocks.values():
        if first in block and second in block:
            groups[_start_of(session, block[first].slot)] += block[first].success - block[second].success
    return list(groups.values())


def starts(session: Session, rows: list[Row]) -> Figures:
    """How many blocks there are, and in how many different start states."""
    blocks = {row.slot.block: _start_of(session, row.slot) for row in rows}
    return {"blocks": len(blocks), "different": len(set(blocks.values()))}


def letters(session: Session, policies: list[str], rows: list[Row], compared: list[Figures]) -> list[Figures]:
    """Compact letter display over all trials, by the declared comparisons.

    Args:
        session: Says which comparisons were declared.
        policies: Names, in the report's order.
        rows: Trials that count.
        compared: What `comparisons` gave.
    """
    alpha = compared[0]["alpha"] if compared else session.plan.comparisons.alpha
    different = {frozenset((c["first"], c["second"])) for c in compared if c["is_shown"]}
    k_n = {policy: counts([r for r in rows if r.policy == policy]) for policy in policies}
    best_first = sorted(policies, key=lambda p: (-k_n[p][0] / max(k_n[p][1], 1), policies.index(p)))
    shared = compact_letters(best_first, different)
    return [{"policy": p, "k": k_n[p][0], "n": k_n[p][1], "letters": shared[p], "alpha": alpha} for p in best_first]
