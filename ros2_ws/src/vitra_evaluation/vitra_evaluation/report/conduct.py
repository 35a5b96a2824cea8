"""How the session was conducted: what became of every trial, corrections, second judges, deviations."""

from __future__ import annotations

from vitra_evaluation.report.rows import Figures, Row, bounds
from vitra_evaluation.session.attempt import NO_START
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.verification import REPORTED
from vitra_evaluation.stats.agreement import cohens_kappa


def begun(session: Session, names: dict[str, str], policies: list[str]) -> dict[str, Figures]:
    """What became of every trial that was begun, by policy: what does not count may not count for a reason.

    Args:
        session: With its journal.
        names: Name behind each alias.
        policies: Names, in the report's order.
    """
    slots = {slot.index: slot for slot in session.schedule.slots}
    found = {p: dict.fromkeys(("begun", "counted", "no_start", "void_person", "void_machine", "no_bag"), 0)
             for p in policies}  # fmt: skip
    for attempt in session.store.attempts():
        mine = found[names[slots[attempt.slot].alias]]
        mine["begun"] += 1
        mine["counted"] += attempt.counts
        mine["no_start"] += bool(attempt.counts and attempt.result and attempt.result.failure_code == NO_START)
        if attempt.void_reason is not None:
            mine["void_machine" if attempt.void_person == "vitra-eval" else "void_person"] += 1
        elif not attempt.counts and attempt.result is not None:
            mine["no_bag"] += 1
    return found


def corrections(session: Session) -> list[Figures]:
    """Labels that were set right, and why."""
    return [
        {
            "attempt": attempt.id,
            "at": c.at,
            "before": c.before,
            "after": c.after,
            "reason": c.reason,
            "person": c.person,
        }
        for attempt in session.store.attempts()
        for c in attempt.corrections
    ]


def agreement(session: Session, rows: list[Row]) -> list[Figures]:
    """How far second judges say the same."""
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
                    "interval": bounds(result.interval),
                    "observed": round(result.observed, 6),
                }  # fmt: skip
            )
    return found


def deviations(session: Session) -> list[Figures]:
    """What did not go by the plan: voids, trials without a bag, stops, an early end."""
    quiet = {"reference", REPORTED}
    keys = ("attempt", "at", "kind", "detail")
    found = [{key: e[key] for key in keys} for e in session.store.events() if e["kind"] not in quiet]
    if (unsealed := session.store.unsealed) is not None:
        found.append({"attempt": None, "at": unsealed["at"], "kind": "unsealed", "detail": unsealed["detail"]})
    for attempt in session.store.attempts():
        if attempt.void_reason is not None:
            at = attempt.ended or attempt.started
            found.append({"attempt": attempt.id, "at": at, "kind": "void", "detail": attempt.void_reason})
    return sorted(found, key=lambda e: (e["at"], e["attempt"] or 0, e["kind"]))
