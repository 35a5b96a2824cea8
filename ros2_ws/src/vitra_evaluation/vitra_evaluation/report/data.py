"""All figures of a report, as one plain structure; the same session gives the same figures every time."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vitra_evaluation.blinding.blinded_policy import LATENCY_NAME
from vitra_evaluation.blinding.blinding_key import open_seal
from vitra_evaluation.errors import SealError
from vitra_evaluation.plan.plan import Condition
from vitra_evaluation.plan.schedule import Slot, plan_hash, swapped
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.sequential_stop import paired_outcomes, session_decision
from vitra_evaluation.session.store import Attempt, Outcome, TrialResult
from vitra_evaluation.stats.agreement import cohens_kappa
from vitra_evaluation.stats.averages import macro_and_pooled
from vitra_evaluation.stats.comparison import (
    barnard,
    boschloo,
    count_pairs,
    difference_interval,
    holm,
    mcnemar_exact,
)
from vitra_evaluation.stats.intervals import Interval, clopper_pearson, posterior, wilson
from vitra_evaluation.stats.letters import compact_letters
from vitra_evaluation.stats.sequential import SequentialPlan, anytime_p

Figures = dict[str, Any]

GROUPS = {
    "seen": (Condition.SEEN,),
    "unseen": (Condition.UNSEEN_OBJECT_BACKGROUND, Condition.UNSEEN_CATEGORY),
}
"""Groups of cells that are averaged, as in the paper's Table II."""

_ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class _Row:
    slot: Slot
    attempt: Attempt
    result: TrialResult
    policy: str

    @property
    def success(self) -> bool:
        return self.result.outcome is Outcome.SUCCESS


def unseal(session: Session, force: bool = False) -> None:
    """Open the seal for the report; from then on no trial can be added.

    Raises:
        SealError: the session is not complete, and `force` was not given.
    """
    plan, store = session.plan, session.store
    if session.is_unsealed or not plan.blind:
        return
    done, total = len(store.counted()), len(session.schedule.slots)
    if not (session.is_complete or session_decision(session).is_final or force):
        raise SealError(
            f"{done} of {total} trials are done; rates stay hidden until the end. Go on (vitra-eval resume), or give "
            "up blinding and end the session here (vitra-eval report --unseal)."
        )
    store.event("unsealed", f"after {done} of {total} trials" + ("" if done == total else ", before the end"))
    store.lock_fact("unsealed", "yes")


def collect(session: Session) -> Figures:
    """Every figure of the report; call `unseal` first.

    Raises:
        SealError: the session is still blind.
    """
    if session.plan.blind and not session.is_unsealed:
        raise SealError("The session is still sealed.")
    names = open_seal(session.folder).names
    counted = session.store.counted()
    rows = [
        _Row(slot, attempt, attempt.result, names[slot.alias])
        for slot in session.schedule.slots
        if (attempt := counted.get(slot.index)) is not None and attempt.result is not None
    ]
    policies = [policy.name for policy in session.plan.policies]
    comparisons = _comparisons(session, policies, rows)
    return {
        "session": _session(session, len(rows)),
        "cells": _cells(session, rows, policies),
        "averages": _averages(session, rows, policies),
        "comparisons": comparisons,
        "letters": _letters(session, policies, rows, comparisons),
        "failures": {p: _codes(r for r in rows if r.policy == p) for p in policies},
        "progress": {p: _progress(session, [r for r in rows if r.policy == p]) for p in policies},
        "measures": {p: _measures([r for r in rows if r.policy == p]) for p in policies},
        "answers": _answers(session, names, policies),
        "chunks": _chunks(session, names, policies),
        "agreement": _agreement(session, rows),
        "order": swapped(session.schedule, names),
        "deviations": _deviations(session),
        "problems": session.problems(),
        "trials": [_trial(row) for row in rows],
    }


def _session(session: Session, done: int) -> Figures:
    plan = session.plan
    return {
        "name": plan.name, "robot": str(plan.robot), "blind": plan.blind, "latency": str(plan.latency),
        "seed": plan.seed, "time_limit_s": plan.time_limit_s, "calibration": plan.calibration,
        "done": done, "total": len(session.schedule.slots), "attempts": len(session.store.attempts()),
        "policies": [asdict(p) | {"options": dict(p.options)} for p in plan.policies],
        "plan_sha256": plan_hash(plan), "schedule_sha256": session.schedule.sha256, "hashes": session.hashes,
    }  # fmt: skip


def _counts(rows: list[_Row]) -> tuple[int, int]:
    return sum(row.success for row in rows), len(rows)


def _bounds(interval: Interval) -> list[float]:
    return [round(interval.low, 6), round(interval.high, 6)]


def _cells(session: Session, rows: list[_Row], policies: list[str]) -> list[Figures]:
    found = []
    for index, cell in enumerate(session.plan.cells):
        for policy in policies:
            k, n = _counts([r for r in rows if r.slot.cell == index and r.policy == policy])
            entry: Figures = {
                "task": cell.task, "condition": str(cell.condition), "policy": policy, "k": k, "n": n,
                "planned": cell.trials,
            }  # fmt: skip
            if n:
                belief = posterior(k, n)
                entry |= {
                    "rate": round(k / n, 6), "wilson": _bounds(wilson(k, n)),
                    "clopper_pearson": _bounds(clopper_pearson(k, n)), "beta": [belief.a, belief.b],
                    "beta_interval": _bounds(belief.interval()),
                }  # fmt: skip
            found.append(entry)
    return found


def _averages(session: Session, rows: list[_Row], policies: list[str]) -> list[Figures]:
    found = []
    for group, conditions in (*GROUPS.items(), ("all", tuple(Condition))):
        indices = [i for i, cell in enumerate(session.plan.cells) if cell.condition in conditions]
        for policy in policies:
            counts = [_counts([r for r in rows if r.slot.cell == i and r.policy == policy]) for i in indices]
            counts = [(k, n) for k, n in counts if n]
            if not counts:
                continue
            both, k, n = macro_and_pooled(counts), sum(k for k, _ in counts), sum(n for _, n in counts)
            found.append(
                {
                    "group": group,
                    "policy": policy,
                    "cells": len(counts),
                    "k": k,
                    "n": n,
                    "macro": round(both.macro.value, 6),
                    "macro_interval": _bounds(both.macro.interval),
                    "pooled": round(both.pooled.value, 6),
                    "pooled_interval": _bounds(both.pooled.interval),
                    "pooled_wilson": _bounds(wilson(k, n)),
                }  # fmt: skip
            )
    return found


def _comparisons(session: Session, policies: list[str], rows: list[_Row]) -> list[Figures]:
    found: list[Figures] = []
    for first, second in itertools.combinations(policies, 2):
        a, b = paired_outcomes(session, first, second)
        k1, n1 = _counts([r for r in rows if r.policy == first])
        k2, n2 = _counts([r for r in rows if r.policy == second])
        if not a:
            continue
        pairs = count_pairs(a, b)
        found.append(
            {
                "first": first,
                "second": second,
                "pairs": pairs.pairs,
                "both": pairs.both,
                "only_first": pairs.only_first,
                "only_second": pairs.only_second,
                "neither": pairs.neither,
                "difference": round(k1 / n1 - k2 / n2, 6),
                "difference_interval": _bounds(difference_interval(k1, n1, k2, n2)),
                "p_paired": round(mcnemar_exact(pairs.only_first, pairs.only_second), 6),
                "p_barnard": round(barnard(k1, n1, k2, n2), 6),
                "p_boschloo": round(boschloo(k1, n1, k2, n2), 6),
                "p_anytime": round(anytime_p(a, b), 6),
            }  # fmt: skip
        )
    for entry, adjusted in zip(found, holm([e["p_paired"] for e in found]), strict=True):
        entry["p_paired_holm"] = round(adjusted, 6)
        spec = session.plan.sequential
        if spec is not None:
            plan = SequentialPlan(spec.alpha, sum(cell.trials for cell in session.plan.cells))
            entry["sequential"] = str(plan.decide(*paired_outcomes(session, entry["first"], entry["second"])))
            entry["sequential_alpha"] = spec.alpha
    return found


def _letters(session: Session, policies: list[str], rows: list[_Row], comparisons: list[Figures]) -> list[Figures]:
    """Compact letter display over all trials; a declared sequential comparison uses its own p, valid under peeking."""
    spec = session.plan.sequential
    alpha = spec.alpha if spec is not None else _ALPHA
    p_values = holm([c["p_paired" if spec is None else "p_anytime"] for c in comparisons])
    different = {frozenset((c["first"], c["second"])) for c, p in zip(comparisons, p_values, strict=True) if p <= alpha}
    counts = {policy: _counts([r for r in rows if r.policy == policy]) for policy in policies}
    best_first = sorted(policies, key=lambda p: (-counts[p][0] / max(counts[p][1], 1), policies.index(p)))
    letters = compact_letters(best_first, different)
    return [
        {"policy": p, "k": counts[p][0], "n": counts[p][1], "letters": letters[p], "alpha": alpha} for p in best_first
    ]


def _codes(rows: Any) -> dict[str, int]:
    return dict(sorted(Counter(r.result.failure_code or "unlabelled" for r in rows if not r.success).items()))


def _progress(session: Session, rows: list[_Row]) -> Figures:
    """Mean share of milestones, and how often each was reached."""
    reached: Counter[str] = Counter()
    shares = []
    for row in rows:
        wanted = session.plan.task(row.slot.task).milestones
        reached.update(row.result.milestones)
        shares.append(1.0 if row.success else len(row.result.milestones) / max(len(wanted), 1))
    return {"mean": round(float(np.mean(shares)), 6) if shares else None, "reached": dict(sorted(reached.items()))}


def _measures(rows: list[_Row]) -> Figures:
    """Median, lower and upper quartile of each figure over the trials."""
    values: dict[str, list[float]] = {}
    for row in rows:
        if row.success:
            values.setdefault("time_to_success_s", []).append(row.result.duration_s)
        for name, value in row.result.measures.items():
            if value is not None and name != "messages":
                values.setdefault(name, []).append(value)
        values.setdefault("interventions", []).append(row.result.interventions)
    return {name: _quartiles(found) for name, found in sorted(values.items())}


def _answers(session: Session, names: dict[str, str], policies: list[str]) -> Figures:
    """True answer times of the policies, as the sealed log has them [ms]."""
    times: dict[str, list[float]] = {}
    for row in _sealed_rows(session):
        times.setdefault(names[row["alias"]], []).extend(1e3 * t for t in row["answer_s"])
    return {policy: _quartiles(times[policy]) for policy in policies if times.get(policy)}


def _chunks(session: Session, names: dict[str, str], policies: list[str]) -> dict[str, list[str]]:
    """Lengths of the policies' chunks: where they differ, whoever opened a bag could tell the policies apart."""
    found: dict[str, set[str]] = {}
    for row in _sealed_rows(session):
        found.setdefault(names[row["alias"]], set()).add(row.get("chunk", ""))
    return {policy: sorted(found[policy]) for policy in policies if policy in found}


def _sealed_rows(session: Session) -> list[Figures]:
    path = session.folder / LATENCY_NAME
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def _quartiles(values: list[float]) -> Figures:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return {
        "median": round(float(middle), 4),
        "q1": round(float(low), 4),
        "q3": round(float(high), 4),
        "n": len(values),
    }


def _agreement(session: Session, rows: list[_Row]) -> list[Figures]:
    ratings = session.store.ratings()
    found = []
    for rater in sorted({rater for labels in ratings.values() for rater in labels}):
        both = [
            (str(r.result.outcome), ratings[r.attempt.id][rater])
            for r in rows
            if rater in ratings.get(r.attempt.id, {})
        ]
        if both:
            result = cohens_kappa([a for a, _ in both], [b for _, b in both])
            found.append(
                {
                    "rater": rater,
                    "items": result.items,
                    "kappa": round(result.kappa, 6),
                    "interval": _bounds(result.interval),
                    "observed": round(result.observed, 6),
                }  # fmt: skip
            )
    return found


def _deviations(session: Session) -> list[Figures]:
    """What did not go by the plan: voids, trials without a bag, stops, an early end."""
    quiet = {"created"}
    found = [e for e in session.store.events() if e["kind"] not in quiet]
    for attempt in session.store.attempts():
        if attempt.void_reason is not None:
            at = attempt.ended or attempt.started
            found.append({"attempt": attempt.id, "at": at, "kind": "void", "detail": attempt.void_reason})
    return sorted(found, key=lambda e: (e["at"], e["attempt"] or 0, e["kind"]))


def _trial(row: _Row) -> Figures:
    result = row.result
    return {
        "attempt": row.attempt.id, "slot": row.slot.index, "block": row.slot.block, "alias": row.slot.alias,
        "policy": row.policy, "task": row.slot.task, "condition": row.slot.condition, "object": row.slot.thing,
        "layout": row.slot.layout, "outcome": str(result.outcome), "failure_code": result.failure_code,
        "reason": result.reason, "duration_s": result.duration_s, "judge": result.judge, "note": result.note,
        "interventions": result.interventions, "milestones": result.milestones, "started": row.attempt.started,
        **{name: value for name, value in sorted(result.measures.items())},
    }  # fmt: skip
