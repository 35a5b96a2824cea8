"""What happened in a session, read from its journal: every fact is committed before the next one begins."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vitra_evaluation.errors import DamagedError, SessionError, SessionHeldError
from vitra_evaluation.session.attempt import Attempt, Outcome, TrialResult
from vitra_evaluation.session.journal import Body, Entry, Journal, chain_problems
from vitra_evaluation.session.session_state import Kind, SessionState


class Store:
    """The records of one session; may be used from several threads.

    Args:
        path: file of the journal; created when absent.
        may_write: whether this program has the session in hand.
    """

    def __init__(self, path: Path, may_write: Callable[[], bool] = lambda: True) -> None:
        self._journal, self._may_write = Journal(path), may_write
        self._lock = threading.RLock()
        self._state = SessionState()

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
        entries, state = self.entries, SessionState()
        found = chain_problems(entries)
        for entry in entries:
            try:
                state.check(entry.kind, entry.body)
                state.apply(entry)
            except (SessionError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
                found.append(f"record {entry.number} ({entry.kind}) cannot be: {error}")
        times = [entry.at for entry in entries]
        found += [
            f"record {b.number} is older than the one before it"
            for a, b in zip(entries, entries[1:], strict=False)
            if b.at < a.at
        ]
        return found if times else ["the journal is empty"]

    def _read(self) -> SessionState:
        with self._lock:
            for entry in self._journal.entries()[self._state.read :]:
                try:
                    self._state.apply(entry)
                except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
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
