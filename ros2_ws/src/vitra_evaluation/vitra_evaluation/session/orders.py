"""Orders, and what whoever gave them was looking at: an order about something else than what is now is refused."""

from __future__ import annotations

from dataclasses import dataclass

from vitra_evaluation.errors import RefusedError
from vitra_evaluation.session.attempt import Outcome
from vitra_evaluation.session.trial import LABELS, OF_A_TRIAL, Command, Phase
from vitra_policy.errors import UnknownNameError

_LABELLING = (Phase.RUNNING, Phase.LABEL)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was on the screen when an order was given.

    Attributes:
        trial: Name of the trial.
        phase: Its phase.
        last: Name of the trial before, whose label may still be corrected.
        stops: How many stops there had been.
        paused: Whether the session was paused.
    """

    trial: str = ""
    phase: str = ""
    last: str = ""
    stops: int = 0
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """A command with its text, from whoever gave it, about what they saw.

    Attributes:
        command: What to do.
        text: Code, note, reason or name, where the command wants one.
        person: Who gives it.
        seen: What it is about; None: what is there when it is handed over.
    """

    command: Command
    text: str = ""
    person: str = "evaluator"
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class NewLabel:
    """What a corrected label says."""

    outcome: Outcome
    failure_code: str
    reason: str


def check_order(order: Order, now: Seen) -> None:
    """Refuse an order about another trial, another phase, or from before a STOP.

    Raises:
        RefusedError: what it was about, and what is now.
    """
    seen, command = order.seen, order.command
    if seen is None or command is Command.STOP:
        return
    only_pauses = command is Command.PAUSE and not now.paused
    if seen.stops < now.stops and not only_pauses:
        raise RefusedError(
            f"'{command}' was given before the last STOP, so it is not obeyed. Look, then give it again."
        )
    if command is Command.CORRECT and seen.last != now.last:
        raise RefusedError(
            f"That correction is about trial {seen.last or '(none)'}; the last one is {now.last or '(none)'}."
        )
    if command not in OF_A_TRIAL:
        return
    if seen.trial != now.trial:
        raise RefusedError(
            f"'{command}' was about trial {seen.trial or '(none)'}, and this is {now.trial or '(none)'}."
        )
    if seen.phase != now.phase and not (command in LABELS and {seen.phase, now.phase} <= set(_LABELLING)):
        raise RefusedError(f"'{command}' was given in phase '{seen.phase}'; the trial is in phase '{now.phase}' now.")


def read_label(text: str, failure_codes: tuple[str, ...]) -> NewLabel:
    """A corrected label from a line of text: "success: why", "safety_stop: why" or "CODE: why".

    Raises:
        RefusedError: no reason.
        UnknownNameError: no such outcome or failure code.
    """
    label, _, reason = text.partition(":")
    label, reason = label.strip(), reason.strip()
    if not reason:
        raise RefusedError("A correction needs a reason behind a colon, e.g. 'dropped: it slipped after the lift'.")
    if label == Outcome.SUCCESS:
        return NewLabel(Outcome.SUCCESS, "", reason)
    if label == Outcome.SAFETY_STOP:
        return NewLabel(Outcome.SAFETY_STOP, "stopped", reason)
    if label not in failure_codes:
        raise UnknownNameError("label", label, (str(Outcome.SUCCESS), str(Outcome.SAFETY_STOP), *failure_codes))
    return NewLabel(Outcome.FAIL, label, reason)
