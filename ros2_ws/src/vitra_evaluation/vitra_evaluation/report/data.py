"""All figures of a report, as one plain structure; the same session gives the same figures every time."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np

from vitra_evaluation.blinding.answer_schedule import known_period_s
from vitra_evaluation.blinding.blinded_policy import LATENCY_NAME, LOG_NAME
from vitra_evaluation.blinding.blinding_key import SEAL_NAME, open_blinding_key
from vitra_evaluation.errors import SealError
from vitra_evaluation.plan.plan import Condition
from vitra_evaluation.plan.schedule import plan_hash, swapped
from vitra_evaluation.report.comparisons import comparisons, letters, starts
from vitra_evaluation.report.conduct import agreement, begun, corrections, deviations
from vitra_evaluation.report.rows import Figures, Row, bounds, counts
from vitra_evaluation.session.files import prefix_of
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.sequential_stop import session_decision
from vitra_evaluation.session.verification import found_earlier, verify_session
from vitra_evaluation.stats.averages import macro_and_pooled
from vitra_evaluation.stats.intervals import clopper_pearson, posterior, wilson

GROUPS = {
    "seen": (Condition.SEEN,),
    "unseen": (Condition.UNSEEN_OBJECT_BACKGROUND, Condition.UNSEEN_CATEGORY),
}
"""Groups of cells that are averaged, as in the paper's Table II."""


def unseal(session: Session, force: bool = False) -> None:
    """Open the seal for the report; from then on nothing can change a result.

    Raises:
        SessionHeldError: trials are running in it, here or in another program.
        SealError: the session is not complete, and `force` was not given.
    """
    plan, store = session.plan, session.store
    session.hold()
    if session.is_unsealed or not plan.blind:
        return
    done, total = len(store.counted()), len(session.schedule.slots)
    if not (session.is_complete or session_decision(session).is_final or force):
        raise SealError(
            f"{done} of {total} trials are done; rates stay hidden until the end. Go on (vitra-eval resume), or give "
            "up blinding and end the session here (vitra-eval report --unseal)."
        )
    kept = {name: prefix_of(session.folder / name) for name in (LATENCY_NAME, LOG_NAME)}
    detail = f"after {done} of {total} trials" + ("" if done == total else ", before the end")
    store.unseal(detail, kept | {SEAL_NAME: prefix_of(session.folder / SEAL_NAME)})


def collect(session: Session) -> Figures:
    """Every figure of the report; call `unseal` first.

    Raises:
        SealError: the session is still blind.
    """
    if session.plan.blind and not session.is_unsealed:
        raise SealError("The session is still sealed.")
    names = open_blinding_key(session.folder).names
    counted = session.store.counted()
    rows = [
        Row(slot, attempt, attempt.result, names[slot.alias])
        for slot in session.schedule.slots
        if (attempt := counted.get(slot.index)) is not None and attempt.result is not None
    ]
    policies = [policy.name for policy in session.plan.policies]
    compared = comparisons(session, policies, rows)
    earlier = found_earlier(session)
    return {
        "session": _session(session, len(rows)),
        "cells": _cells(session, rows, policies),
        "averages": _averages(session, rows, policies),
        "comparisons": compared,
        "begun": begun(session, names, policies),
        "starts": starts(session, rows),
        "corrections": corrections(session),
        "letters": letters(session, policies, rows, compared),
        "failures": {p: _codes(r for r in rows if r.policy == p) for p in policies},
        "progress": {p: _progress(session, [r for r in rows if r.policy == p]) for p in policies},
        "measures": {p: _measures([r for r in rows if r.policy == p]) for p in policies},
        "answers": _answers(session, names, policies),
        "late": _late(session, names, policies),
        "answer_s": known_period_s(session.folder),
        "chunks": _chunks(session, names, policies),
        "agreement": agreement(session, rows),
        "order": swapped(session.schedule, names),
        "deviations": deviations(session),
        "problems": [*earlier.values(), *(p for p in verify_session(session).problems if p not in earlier)],
        "trials": [_trial(row) for row in rows],
    }


def _session(session: Session, done: int) -> Figures:
    plan = session.plan
    return {
        "name": plan.name, "robot": str(plan.robot), "blind": plan.blind, "latency": str(plan.latency),
        "seed": plan.seed, "time_limit_s": plan.time_limit_s, "calibration": plan.calibration,
        "done": done, "total": len(session.schedule.slots), "attempts": len(session.store.attempts()),
        "policies": [{"name": p.name, "policy": p.policy, "options": dict(p.options)} for p in plan.policies],
        "anchor": session.store.entries[0].anchor,
        "setup": session.setup.to_fact() if session.setup is not None else None,
        "plan_sha256": plan_hash(plan), "schedule_sha256": session.schedule.sha256, "hashes": session.hashes,
    }  # fmt: skip


def _cells(session: Session, rows: list[Row], policies: list[str]) -> list[Figures]:
    found = []
    for index, cell in enumerate(session.plan.cells):
        for policy in policies:
            k, n = counts([r for r in rows if r.slot.cell == index and r.policy == policy])
            entry: Figures = {
                "task": cell.task, "condition": str(cell.condition), "policy": policy, "k": k, "n": n,
                "planned": cell.trials,
            }  # fmt: skip
            if n:
                belief = posterior(k, n)
                entry |= {
                    "rate": round(k / n, 6), "wilson": bounds(wilson(k, n)),
                    "clopper_pearson": bounds(clopper_pearson(k, n)), "beta": [belief.a, belief.b],
                    "beta_interval": bounds(belief.interval()),
                }  # fmt: skip
            found.append(entry)
    return found


def _averages(session: Session, rows: list[Row], policies: list[str]) -> list[Figures]:
    found = []
    for group, conditions in (*GROUPS.items(), ("all", tuple(Condition))):
        indices = [i for i, cell in enumerate(session.plan.cells) if cell.condition in conditions]
        for policy in policies:
            cells = [counts([r for r in rows if r.slot.cell == i and r.policy == policy]) for i in indices]
            cells = [(k, n) for k, n in cells if n]
            if not cells:
                continue
            both, k, n = macro_and_pooled(cells), sum(k for k, _ in cells), sum(n for _, n in cells)
            found.append(
                {
                    "group": group,
                    "policy": policy,
                    "cells": len(cells),
                    "k": k,
                    "n": n,
                    "macro": round(both.macro.value, 6),
                    "macro_interval": bounds(both.macro.interval),
                    "pooled": round(both.pooled.value, 6),
                    "pooled_interval": bounds(both.pooled.interval),
                    "pooled_wilson": bounds(wilson(k, n)),
                }  # fmt: skip
            )
    return found


def _codes(rows: Any) -> dict[str, int]:
    return dict(sorted(Counter(r.result.failure_code or "unlabelled" for r in rows if not r.success).items()))


def _progress(session: Session, rows: list[Row]) -> Figures:
    """Mean share of milestones, and how often each was reached."""
    reached: Counter[str] = Counter()
    shares = []
    for row in rows:
        wanted = session.plan.task(row.slot.task).milestones
        reached.update(row.result.milestones)
        shares.append(1.0 if row.success else len(row.result.milestones) / max(len(wanted), 1))
    return {"mean": round(float(np.mean(shares)), 6) if shares else None, "reached": dict(sorted(reached.items()))}


def _measures(rows: list[Row]) -> Figures:
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


def _late(session: Session, names: dict[str, str], policies: list[str]) -> dict[str, int]:
    """How many answers missed the common schedule: whoever watches the clock may know the policy by them."""
    found = dict.fromkeys(policies, 0)
    for row in _sealed_rows(session):
        found[names[row["alias"]]] += int(row.get("late", 0))
    return found


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
    """Rows of the sealed log, as far as it went when the names were opened."""
    path = session.folder / LATENCY_NAME
    if not path.is_file():
        return []
    kept = (session.store.unsealed or {}).get("files", {}).get(LATENCY_NAME)
    text = path.read_bytes()[: kept["bytes"] if kept else None].decode()
    return [json.loads(line) for line in text.splitlines()]


def _quartiles(values: list[float]) -> Figures:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return {
        "median": round(float(middle), 4),
        "q1": round(float(low), 4),
        "q3": round(float(high), 4),
        "n": len(values),
    }


def _trial(row: Row) -> Figures:
    result = row.result
    return {
        "attempt": row.attempt.id, "slot": row.slot.index, "block": row.slot.block, "alias": row.slot.alias,
        "policy": row.policy, "task": row.slot.task, "condition": row.slot.condition, "object": row.slot.thing,
        "layout": row.slot.layout, "outcome": str(result.outcome), "failure_code": result.failure_code,
        "reason": result.reason, "duration_s": result.duration_s, "judge": result.judge, "note": result.note,
        "corrected": "; ".join(f"was {c.before}: {c.reason} ({c.person})" for c in row.attempt.corrections),
        "interventions": result.interventions, "milestones": result.milestones, "started": row.attempt.started,
        **{name: value for name, value in sorted(result.measures.items())},
    }  # fmt: skip
