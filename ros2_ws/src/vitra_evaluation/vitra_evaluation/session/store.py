"""What happened in a session: an append-only SQLite database, every fact committed before the next one begins."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from vitra_evaluation.errors import SessionError

_TABLES = {
    "facts": "key TEXT PRIMARY KEY, value TEXT NOT NULL",
    "attempts": "id INTEGER PRIMARY KEY, slot INTEGER NOT NULL, started TEXT NOT NULL, UNIQUE (id, slot)",
    "results": "attempt INTEGER PRIMARY KEY REFERENCES attempts (id), ended TEXT NOT NULL, outcome TEXT NOT NULL,"
    " body TEXT NOT NULL",
    "voids": "attempt INTEGER PRIMARY KEY REFERENCES attempts (id), at TEXT NOT NULL, reason TEXT NOT NULL,"
    " person TEXT NOT NULL",
    "events": "id INTEGER PRIMARY KEY, attempt INTEGER, at TEXT NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL",
    "ratings": "attempt INTEGER REFERENCES attempts (id), rater TEXT NOT NULL, at TEXT NOT NULL,"
    " outcome TEXT NOT NULL, PRIMARY KEY (attempt, rater)",
}


class Outcome(StrEnum):
    """How a trial ended."""

    SUCCESS = "success"
    FAIL = "fail"
    SAFETY_STOP = "safety_stop"


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
class Attempt:
    """One row: a trial that was begun."""

    id: int
    slot: int
    started: str
    ended: str | None = None
    result: TrialResult | None = None
    void_reason: str | None = None

    @property
    def counts(self) -> bool:
        """Whether it is part of the statistics."""
        return self.result is not None and self.result.has_bag and self.void_reason is None


class Store:
    """The database of one session; may be used from several threads.

    Args:
        path: file; created when absent.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")  # a committed trial survives a power cut
        self._db.execute("PRAGMA foreign_keys=ON")
        self._db.execute("PRAGMA busy_timeout=5000")
        with self._transaction() as db:
            for table, columns in _TABLES.items():
                db.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
                for verb in ("UPDATE", "DELETE"):
                    db.execute(
                        f"CREATE TRIGGER IF NOT EXISTS {table}_{verb.lower()} BEFORE {verb} ON {table} "
                        "BEGIN SELECT RAISE(ABORT, 'this record is append-only'); END"
                    )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def lock_fact(self, key: str, value: str) -> None:
        """Write a fact of the session once.

        Raises:
            SessionError: it was written before with another value.
        """
        with self._transaction() as db:
            row = db.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
            if row is None:
                db.execute("INSERT INTO facts VALUES (?, ?)", (key, value))
            elif row[0] != value:
                raise SessionError(f"The session's {key} is locked as '{row[0]}' and cannot become '{value}'.")

    def fact(self, key: str) -> str | None:
        """A fact of the session."""
        with self._lock:
            row = self._db.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def begin(self, slot: int) -> int:
        """Note that a trial begins; returns the attempt's number."""
        with self._transaction() as db:
            return int(db.execute("INSERT INTO attempts (slot, started) VALUES (?, ?)", (slot, _now())).lastrowid or 0)

    def finish(self, attempt: int, result: TrialResult) -> None:
        """Commit the result of a trial.

        Raises:
            SessionError: it has one already, or was never begun.
        """
        body = json.dumps(asdict(result), sort_keys=True)
        self._append("INSERT INTO results VALUES (?, ?, ?, ?)", (attempt, _now(), str(result.outcome), body))

    def void(self, attempt: int, reason: str, person: str) -> None:
        """Take a trial out of the statistics, with a reason; its slot is tried again."""
        if not reason.strip():
            raise SessionError("A trial is voided with a reason.")
        self._append("INSERT INTO voids VALUES (?, ?, ?, ?)", (attempt, _now(), reason, person))

    def event(self, kind: str, detail: str, attempt: int | None = None) -> None:
        """Append to the log of the session."""
        self._append(
            "INSERT INTO events (attempt, at, kind, detail) VALUES (?, ?, ?, ?)", (attempt, _now(), kind, detail)
        )

    def rate(self, attempt: int, rater: str, outcome: Outcome) -> None:
        """A second judge's label."""
        self._append("INSERT INTO ratings VALUES (?, ?, ?, ?)", (attempt, rater, _now(), str(outcome)))

    def attempts(self) -> list[Attempt]:
        """Every attempt in order."""
        query = (
            "SELECT a.id, a.slot, a.started, r.ended, r.body, v.reason FROM attempts a"
            " LEFT JOIN results r ON r.attempt = a.id LEFT JOIN voids v ON v.attempt = a.id ORDER BY a.id"
        )
        with self._lock:
            rows = self._db.execute(query).fetchall()
        return [Attempt(i, slot, at, ended, _result(body), reason) for i, slot, at, ended, body, reason in rows]

    def events(self) -> list[dict[str, Any]]:
        """The log in order."""
        with self._lock:
            rows = self._db.execute("SELECT attempt, at, kind, detail FROM events ORDER BY id").fetchall()
        return [dict(zip(("attempt", "at", "kind", "detail"), row, strict=True)) for row in rows]

    def ratings(self) -> dict[int, dict[str, str]]:
        """Second labels: attempt -> rater -> outcome."""
        with self._lock:
            rows = self._db.execute("SELECT attempt, rater, outcome FROM ratings ORDER BY attempt, rater").fetchall()
        found: dict[int, dict[str, str]] = {}
        for attempt, rater, outcome in rows:
            found.setdefault(attempt, {})[rater] = outcome
        return found

    def counted(self) -> dict[int, Attempt]:
        """The attempt that counts, by slot."""
        return {a.slot: a for a in self.attempts() if a.counts}

    def _append(self, statement: str, values: tuple[Any, ...]) -> None:
        try:
            with self._transaction() as db:
                db.execute(statement, values)
        except sqlite3.IntegrityError as error:
            raise SessionError(
                f"This cannot be recorded ({error}): it refers to no trial, or is there already."
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def _result(body: str | None) -> TrialResult | None:
    if body is None:
        return None
    fields = json.loads(body)
    return TrialResult(**fields | {"outcome": Outcome(fields["outcome"])})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
