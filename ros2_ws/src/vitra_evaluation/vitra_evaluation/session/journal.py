"""An append-only journal in SQLite whose entries are chained by hashes: nothing in it changes without a trace.

Entry n carries the hash of its own content and of entry n - 1. Whoever noted the anchor of an entry (its number and a
short code) can tell later whether everything up to it is still what it was, even if the whole file was written anew.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vitra_evaluation.errors import DamagedError, DiskFullError, JournalBusyError, SessionError

Body = dict[str, Any]
Check = Callable[[str, Body], None]

_BUSY_MS = 5000
_CODE_BYTES = 10
_ORIGIN = "vitra-journal"
_LEAST = -(2**63)
"""SQLite's smallest number."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record.

    Attributes:
        number: From 1, without gaps.
        at: When it was written, UTC.
        kind: What it is.
        text: Its content as canonical JSON.
        sha256: Hash of all this and of the entry before.
    """

    number: int
    at: str
    kind: str
    text: str
    sha256: str

    @property
    def body(self) -> Body:
        """The content."""
        return dict(json.loads(self.text))

    @property
    def anchor(self) -> str:
        """Number and short code, to write down or to send to somebody."""
        code = base64.b32encode(bytes.fromhex(self.sha256)[:_CODE_BYTES]).decode()
        return f"{self.number}-" + "-".join(code[i : i + 4] for i in range(0, len(code), 4))


class Journal:
    """The journal of one session; may be used from several threads.

    Args:
        path: the file; created when absent.

    Raises:
        SessionError: not a journal, damaged, or in use for too long.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._entries: list[Entry] = []
        with self._explained():
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")  # a committed trial survives a power cut
            tables = {row[0] for row in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "attempts" in tables:
                raise SessionError(f"{path} was made by an earlier version of vitra-eval; report it with that one.")
            if "journal" not in tables:
                self._create()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def entries(self) -> Sequence[Entry]:
        """All entries in order."""
        with self._lock, self._explained():
            self._read_on()
            return tuple(self._entries)

    def append(self, kind: str, body: Body, check: Check | None = None) -> Entry:
        """Commit an entry.

        Args:
            kind: what it is.
            body: plain data.
            check: called with the journal read to its end and locked; raises when the entry is not allowed.
        """
        text = json.dumps(body, sort_keys=True)
        with self._lock, self._explained(), self._transaction():
            self._read_on()
            if check is not None:
                check(kind, body)
            entry = chained(self._entries[-1] if self._entries else None, _now(), kind, text)
            self._db.execute(
                "INSERT INTO journal VALUES (?, ?, ?, ?, ?)", (entry.number, entry.at, kind, text, entry.sha256)
            )
        with self._lock:
            self._entries.append(entry)
        return entry

    def _create(self) -> None:
        with self._transaction():
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS journal (number INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL,"
                " body TEXT NOT NULL, sha256 TEXT NOT NULL)"
            )
            for verb in ("UPDATE", "DELETE"):
                self._db.execute(
                    f"CREATE TRIGGER IF NOT EXISTS journal_{verb.lower()} BEFORE {verb} ON journal "
                    "BEGIN SELECT RAISE(ABORT, 'this record is append-only'); END"
                )

    def _read_on(self) -> None:
        following = self._entries[-1].number + 1 if self._entries else _LEAST  # what has no business there is read, too
        rows = self._db.execute(
            "SELECT number, at, kind, body, sha256 FROM journal WHERE number >= ? ORDER BY number", (following,)
        ).fetchall()
        for number, *texts in rows:
            if not all(isinstance(text, str) for text in texts):
                raise DamagedError(f"{self._path} holds in record {number} what no program of ours writes.")
        self._entries += [Entry(*row) for row in rows]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """SQLite's errors by their cause."""
        try:
            yield
        except sqlite3.Error as error:
            said = str(error)
            if "locked" in said or "busy" in said:
                raise JournalBusyError(
                    f"{self._path} is in use by another program for more than {_BUSY_MS // 1000} s. Close what has it "
                    "open (a database browser?), then vitra-eval resume."
                ) from error
            if "full" in said or "I/O" in said:
                raise DiskFullError(
                    f"{self._path} cannot be written ({said}). Make room on its disk, then vitra-eval resume; what was "
                    "committed is safe."
                ) from error
            if "readonly" in said or "unable to open" in said:
                raise SessionError(f"{self._path} cannot be written by you ({said}). Whose is it? (ls -l)") from error
            raise DamagedError(f"{self._path} cannot be used ({said}). Restore it from a copy.") from error


def chained(before: Entry | None, at: str, kind: str, text: str) -> Entry:
    """The entry that follows another one.

    Args:
        before: The last one; None: it is the first.
        at: Time, ISO 8601.
        kind: What happened.
        text: Its details, JSON.
    """
    number, last = (before.number + 1, before.sha256) if before else (1, _ORIGIN)
    sealed = json.dumps([last, number, at, kind, text])
    return Entry(number, at, kind, text, hashlib.sha256(sealed.encode()).hexdigest())


def chain_problems(entries: Sequence[Entry]) -> list[str]:
    """Where the chain is broken; empty when every entry is as it was written."""
    found, before = [], None
    for entry in entries:
        wanted = chained(before, entry.at, entry.kind, entry.text)
        if entry.number != wanted.number:
            found.append(f"record {wanted.number} is missing: record {entry.number} follows")
        elif entry.sha256 != wanted.sha256:
            found.append(f"record {entry.number} ({entry.kind}) is not what was written, or the one before it")
        before = entry
    return found


def anchor_problem(entries: Sequence[Entry], anchor: str) -> str:
    """Why an anchor that somebody noted does not fit; empty when it does."""
    given = anchor.strip().upper()
    number = given.partition("-")[0]
    if not (number.isascii() and number.isdecimal()):
        return f"'{anchor}' is no anchor; one looks like 12-ABCD-EFGH-IJKL-MNOP"
    entry = next((e for e in entries if str(e.number) == number), None)
    if entry is None:
        return f"anchor {anchor}: the record has {len(entries)} entries, so it was cut or made anew"
    return "" if entry.anchor == given else f"anchor {anchor}: entry {number} is {entry.anchor} now: it was made anew"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
