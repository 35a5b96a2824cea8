"""What the entries of a session's journal amount to, and which entry may follow."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import Any

from vitra_evaluation.errors import SessionError, UnsealedError
from vitra_evaluation.session.attempt import Attempt, Correction, Outcome, TrialResult
from vitra_evaluation.session.journal import Body, Entry


class Kind(StrEnum):
    """Kinds of journal entries."""

    LOCKED = "locked"
    BEGAN = "began"
    RESULT = "result"
    VOID = "void"
    CORRECTION = "correction"
    RATING = "rating"
    EVENT = "event"
    UNSEALED = "unsealed"


_CHANGES = {Kind.BEGAN, Kind.RESULT, Kind.VOID, Kind.CORRECTION, Kind.RATING}
"""What may change a result, and so comes too late once the names are open."""


class SessionState:
    """What the entries so far amount to, and which entry may follow."""

    def __init__(self) -> None:
        self.read = 0
        self.locked: Body = {}
        self.unsealed: Body | None = None
        self.attempts: dict[int, Attempt] = {}
        self.events: list[dict[str, Any]] = []
        self.ratings: dict[int, dict[str, str]] = {}

    def check(self, kind: str, body: Body) -> None:
        """Refuse an entry that must not follow.

        Raises:
            SessionError: why not.
        """
        if kind not in tuple(Kind):
            raise SessionError(f"there is no record of kind '{kind}'")
        if kind == Kind.LOCKED and self.locked:
            raise SessionError("The session is locked already; nothing of its plan can change.")
        if kind in _CHANGES and self.unsealed is not None:
            raise UnsealedError(
                f"The policies' names are open since {self.unsealed['at'][:19]}: no trial, label or rating can "
                "be added or changed any more."
            )
        if kind == Kind.UNSEALED and self.unsealed is not None:
            raise SessionError("The policies' names are open already.")
        if kind == Kind.BEGAN:
            if body["attempt"] != len(self.attempts) + 1:
                raise SessionError(f"Trial {body['attempt']} cannot begin after trial {len(self.attempts)}.")
            return
        if kind in _CHANGES:
            self._check_change(kind, body)

    def _check_change(self, kind: str, body: Body) -> None:
        number = body["attempt"]
        attempt = self.attempts.get(number)
        if attempt is None:
            raise SessionError(f"Trial {number} was never begun; there are {len(self.attempts)}.")
        if kind == Kind.RESULT and attempt.result is not None:
            raise SessionError(f"Trial {number} has its result already.")
        if kind == Kind.VOID and attempt.void_reason is not None:
            raise SessionError(f"Trial {number} is void already: {attempt.void_reason}.")
        if kind == Kind.RATING:
            if attempt.result is None:
                raise SessionError(f"Trial {number} has no result that a second judge could compare with.")
            if body["rater"] in self.ratings.get(number, {}):
                raise SessionError(f"{body['rater']} has rated trial {number} already.")
            Outcome(body["outcome"])
        if kind == Kind.CORRECTION:
            if number != len(self.attempts):
                raise SessionError(
                    f"Trial {number} can no longer be corrected: trial {len(self.attempts)} has begun since. Void it "
                    "with the reason (vitra-eval void), and it is made again."
                )
            if attempt.result is None or attempt.void_reason is not None:
                raise SessionError(f"Trial {number} has no label to correct.")
            Outcome(body["outcome"])

    def apply(self, entry: Entry) -> None:
        """Take an entry in."""
        body = entry.body
        self.read += 1
        match entry.kind:
            case Kind.LOCKED:
                self.locked = body
            case Kind.BEGAN:
                self.attempts[body["attempt"]] = Attempt(body["attempt"], body["slot"], entry.at)
            case Kind.RESULT:
                self._change(
                    body["attempt"], ended=entry.at, result=_result(body["result"]), files=body["files"],
                    void_reason=body.get("void"), void_person=body.get("person", ""),
                )  # fmt: skip
            case Kind.VOID:
                before = self.attempts[body["attempt"]]
                files = before.files or body.get("files", {})
                self._change(before.id, void_reason=body["reason"], void_person=body["person"], files=files)
            case Kind.CORRECTION:
                self._correct(entry.at, body)
            case Kind.EVENT:
                self.events.append({"at": entry.at, **body})
            case Kind.RATING:
                self.ratings.setdefault(body["attempt"], {})[body["rater"]] = body["outcome"]
            case Kind.UNSEALED:
                self.unsealed = {"at": entry.at, **body}

    def _change(self, attempt: int, **changes: Any) -> None:
        self.attempts[attempt] = dataclasses.replace(self.attempts[attempt], **changes)

    def _correct(self, at: str, body: Body) -> None:
        attempt = self.attempts[body["attempt"]]
        if attempt.result is None:
            raise ValueError("a correction of a trial without a result")
        outcome, code = Outcome(body["outcome"]), body["failure_code"]
        done = Correction(
            at, _label(attempt.result.outcome, attempt.result.failure_code), _label(outcome, code), body["reason"],
            body["person"],
        )  # fmt: skip
        result = dataclasses.replace(attempt.result, outcome=outcome, failure_code=code)
        self._change(attempt.id, result=result, corrections=(*attempt.corrections, done))


def _label(outcome: Outcome, failure_code: str) -> str:
    return f"{outcome} ({failure_code})" if failure_code else str(outcome)


def _result(fields: Body) -> TrialResult:
    return TrialResult(**fields | {"outcome": Outcome(fields["outcome"])})
