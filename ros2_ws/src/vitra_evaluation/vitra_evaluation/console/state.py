"""What the console's page is told; made of nothing that depends on which policy runs."""

from __future__ import annotations

from typing import Any

from vitra_evaluation.backends.port import TrialPort
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.keys import ASKS
from vitra_evaluation.session.trial import KEYS, Phase
from vitra_evaluation.session.view import View

_SAFETY = {0: "disarmed", 1: "armed", 2: "stopped"}


def page_state(session: Session, view: View, port: TrialPort) -> dict[str, Any]:
    """The whole state as plain data.

    Args:
        session: The session.
        view: What the page is showing.
        port: The robot.
    """
    slot, trial, plan = view.slot, view.trial, session.plan
    state: dict[str, Any] = {
        "session": plan.name,
        "done": view.done,
        "total": view.total,
        "message": view.message,
        "paused": view.paused,
        "moving": view.moving,
        "anchor": view.anchor,
        "trial": "",
        "last": view.last.name if view.last else "",
        "last_label": f"trial {view.last.attempt}: {view.last.label}" if view.last else "",
        "question": "",
        "attempt": view.attempt,
        "checks": [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in view.checks],
        "failure_codes": list(plan.failure_codes),
        "keys": {key: str(command) for key, command in KEYS.items()},
        "asks": {str(command): question for command, question in ASKS.items()},
        "safety": _safety(port),
        "phase": "",
    }
    if slot is not None and trial is not None:
        running_s = port.now_s() - trial.started_s if trial.phase is Phase.RUNNING else trial.duration_s
        state |= {
            "phase": str(trial.phase),
            "trial": trial.name,
            "question": trial.question if trial.phase is Phase.LABEL else "",
            "task": slot.task,
            "condition": slot.condition,
            "object": slot.thing,
            "layout": slot.layout,
            "note": plan.layout(slot.layout).note,
            "alias": slot.alias,
            "instruction": plan.instruction(slot.task, slot.thing),
            "milestones": [[name, trial.reached.get(name)] for name in trial.milestones],
            "interventions": trial.interventions,
            "elapsed_s": round(max(0.0, running_s), 1),
            "time_limit_s": trial.time_limit_s,
            "end_reason": trial.end_reason,
        }
    return state


def _safety(port: TrialPort) -> dict[str, str]:
    said = getattr(port, "safety", None)
    if said is None:
        return {"state": "unknown", "cause": ""}
    cause = f"{said.stop_cause} ({said.stop_source}) {said.stop_detail}".strip() if said.stop_cause else ""
    return {"state": _SAFETY.get(int(said.state), "unknown"), "cause": cause, "missing": "; ".join(said.not_ready)}
