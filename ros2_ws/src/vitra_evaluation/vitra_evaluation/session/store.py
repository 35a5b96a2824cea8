"""What happened in a session, read from its journal: every fact is committed before the next one begins."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from vitra_evaluation.errors import DamagedError, SessionError, SessionHeldError, UnsealedError
from vitra_evaluation.session.journal import Body, Entry, Journal, chain_problems

NO_START = "no_start"
"""Failure code of a trial whose policy could not be started; counts without a bag."""


class Outcome(StrEnum):
    """How a trial ended."""

    SUCCESS = "success"
    FAIL = "fail"
    SAFETY_STOP = "safety_stop"


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


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One judged trial.

    Attributes:
        outcome: The label.
        reason: Why the trial ended, in the machine's words.
        duration_s: From the policy's start to the end.
        judge: Who labelled it: "simulation", or a person.
        failure_code: From the plan's list; empty on success.
        note: Free text.
        milestones: Reached ones, with the time since the start [s].
        interventions: How often a person had to step in.
        has_bag: Whether the trial's bag was read back; without it the trial does not count.
        measures: Figures from the bag.
    """

    outcome: Outcome
    reason: str
    duration_s: float
    judge: str
    failure_code: str = ""
    note: str = ""
    milestones: dict[str, float] = field(default_factory=dict)
    interventions: int = 0
    has_bag: bool = False
    measures: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Correction:
    """A label that was set right, and why."""

    at: str
    before: str
    after: str
    reason: str
    person: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """A trial that was begun; its result has the corrections in it."""

    id: int
    slot: int
    started: str
    ended: str | None = None
    result: TrialResult | None = None
    void_reason: str | None = None
    void_person: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    corrections: tuple[Correction, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether it is part of the statistics."""
        if self.result is None or self.void_reason is not None:
            return False
        return self.result.has_bag or self.result.failure_code == NO_START


class Store:
    """The records of one session; may be used from several threads.

    Args:
        path: file of the journal; created when absent.
        may_write: whether this program has the session in hand.
    """

    def __init__(self, path: Path, may_write: Callable[[], bool] = lambda: True) -> None:
        self._journal, self._may_write = Journal(path), may_write
        self._lock = threading.RLock()
        self._state = _State()

    def close(self) -> None:
        """Close the file."""
        self._journal.close()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The journal."""
        return tuple(self._journal.entries())

    @property
    def anchor(self) -> str:
        """Anchor of the newest entry."""
        entries = self._journal.entries()
        return entries[-1].anchor if entries else ""

    def lock(self, facts: Body) -> Entry:
        """The first entry: what the session stands on.

        Raises:
            SessionError: it is locked already.
        """
        return self._append(Kind.LOCKED, facts)

    @property
    def locked(self) -> Body:
        """What the session was locked with; empty before that."""
        first = next(iter(self.entries), None)
        return first.body if first is not None and first.kind == Kind.LOCKED else {}

    def begin(self, slot: int, **facts: Any) -> int:
        """Note that a trial begins; returns the attempt's number."""
        with self._lock:
            number = len(self._read().attempts) + 1
            self._append(Kind.BEGAN, {"attempt": number, "slot": slot, **facts})
            return number

    def finish(
        self,
        attempt: int,
        result: TrialResult,
        files: Mapping[str, str] | None = None,
        void: str = "",
        person: str = "",
    ) -> None:
        """Commit the result of a trial, with the hashes of its files, and in the same breath whether it is void.

        Args:
            attempt: Number of the trial.
            result: How it went.
            files: Hash of each file.
            void: Why it does not count; empty: it does.
            person: Who decided.

        Raises:
            SessionError: it has one already, or was never begun.
        """
        body = {"attempt": attempt, "result": asdict(result), "files": dict(files or {})}
        self._append(Kind.RESULT, body | ({"void": void, "person": person} if void else {}))

    def void(self, attempt: int, reason: str, person: str, files: Mapping[str, str] | None = None) -> None:
        """Take a trial out of the statistics, with a reason; its slot is tried again.

        Args:
            attempt: Number of the trial.
            reason: Why it does not count.
            person: Who decided.
            files: Hash of each file.

        Raises:
            SessionError: without a reason.
        """
        if not reason.strip():
            raise SessionError("A trial is voided with a reason.")
        self._append(Kind.VOID, {"attempt": attempt, "reason": reason, "person": person, "files": dict(files or {})})

    def correct(self, attempt: int, outcome: Outcome, failure_code: str, reason: str, person: str) -> None:
        """Set a label right, before the next trial begins.

        Args:
            attempt: Number of the trial.
            outcome: The right one.
            failure_code: Of the plan's list; empty for a success.
            reason: Why the first was wrong.
            person: Who decided.

        Raises:
            SessionError: no reason, no result to correct, or another trial has begun since.
        """
        if not reason.strip():
            raise SessionError("A label is corrected with a reason, e.g. 'I saw it slip in the video'.")
        self._append(
            Kind.CORRECTION,
            {"attempt": attempt, "outcome": str(outcome), "failure_code": failure_code, "reason": reason.strip(),
             "person": person},
        )  # fmt: skip

    def event(self, kind: str, detail: str, attempt: int | None = None, files: Mapping[str, str] | None = None) -> None:
        """Append to the log of the session.

        Args:
            kind: What happened.
            detail: In words.
            attempt: Number of the trial it belongs to; None: to none.
            files: Hash of each file.
        """
        body: Body = {"attempt": attempt, "kind": kind, "detail": detail}
        self._append(Kind.EVENT, body | ({"files": dict(files)} if files else {}))

    def rate(self, attempt: int, rater: str, outcome: Outcome) -> None:
        """A second judge's label.

        Args:
            attempt: Number of the trial.
            rater: Who judges.
            outcome: The label.
        """
        self._append(Kind.RATING, {"attempt": attempt, "rater": rater, "outcome": str(outcome)})

    def unseal(self, detail: str, files: Body) -> None:
        """The names are opened: from now on nothing changes a result."""
        self._append(Kind.UNSEALED, {"detail": detail, "files": files})

    @property
    def unsealed(self) -> Body | None:
        """What was noted when the names were opened; None while they are sealed."""
        return self._read().unsealed

    def attempts(self) -> list[Attempt]:
        """Every attempt in order."""
        return list(self._read().attempts.values())

    def events(self) -> list[dict[str, Any]]:
        """The log in order."""
        return list(self._read().events)

    def ratings(self) -> dict[int, dict[str, str]]:
        """Second labels: attempt -> rater -> outcome."""
        return {attempt: dict(sorted(found.items())) for attempt, found in sorted(self._read().ratings.items())}

    def counted(self) -> dict[int, Attempt]:
        """The attempt that counts, by slot."""
        return {a.slot: a for a in self.attempts() if a.counts}

    def problems(self) -> list[str]:
        """Where the journal is not a chain, or says what the session's rules do not allow."""
        entries, state = self.entries, _State()
        found = chain_problems(entries)
        for entry in entries:
            try:
                state.check(entry.kind, entry.body)
                state.apply(entry)
            except (SessionError, ValueError, KeyError, TypeError, AttributeError) as error:
                found.append(f"record {entry.number} ({entry.kind}) cannot be: {error}")
        times = [entry.at for entry in entries]
        found += [
            f"record {b.number} is older than the one before it"
            for a, b in zip(entries, entries[1:], strict=False)
            if b.at < a.at
        ]
        return found if times else ["the journal is empty"]

    def _read(self) -> _State:
        with self._lock:
            for entry in self._journal.entries()[self._state.read :]:
                try:
                    self._state.apply(entry)
                except (KeyError, ValueError, TypeError, AttributeError) as error:
                    raise DamagedError(
                        f"Record {entry.number} ({entry.kind}) of the journal does not follow from those before it "
                        f"({type(error).__name__}: {error})."
                    ) from error
            return self._state

    def _append(self, kind: Kind, body: Body) -> Entry:
        if not self._may_write():
            raise SessionHeldError("This program has not taken the session in hand; nothing was recorded.")
        with self._lock:  # before the journal's own: readers take the two in this order too
            return self._journal.append(kind, body, lambda k, b: self._read().check(k, b))


class _State:
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
                f"The names of this session are open since {self.unsealed['at'][:19]}: no trial, label or rating can "
                "be added or changed any more."
            )
        if kind == Kind.UNSEALED and self.unsealed is not None:
            raise SessionError("The names of this session are open already.")
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
