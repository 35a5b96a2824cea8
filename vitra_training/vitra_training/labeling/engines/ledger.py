"""What has been done, tried and given up: one row per (video, clip, stage, configuration), kept in SQLite."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from vitra_training.labeling.engines.stage import Item
from vitra_training.labeling.errors import DiskFullError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
  video TEXT, clip INTEGER, stage TEXT, config TEXT,
  status TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
  reason TEXT NOT NULL DEFAULT '', detail TEXT NOT NULL DEFAULT '',
  seconds REAL NOT NULL DEFAULT 0, peak_mib REAL NOT NULL DEFAULT 0,
  PRIMARY KEY (video, clip, stage, config))
"""


class Status(StrEnum):
    """Where an item stands."""

    RUNNING = "running"
    FAILED = "failed"
    DONE = "done"
    QUARANTINED = "quarantined"


class Reason(StrEnum):
    """Why an attempt failed."""

    INPUT = "bad input"
    ERROR = "error"
    CRASH = "crash"
    TIMEOUT = "timeout"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row."""

    video: str
    clip: int
    stage: str
    config: str
    status: Status
    attempts: int
    reason: str
    detail: str
    seconds: float
    peak_mib: float


class Ledger:
    """The account of a run; one process writes it.

    Args:
        path: of the database file.

    Raises:
        DiskFullError: from whatever writes, where there is no space.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._database = path, sqlite3.connect(path, isolation_level=None)
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", _SCHEMA):
            self._execute(statement)

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    def begin_run(self) -> None:
        """Forget attempts that a killed run left open: they were not the item's fault."""
        self._execute(
            "UPDATE items SET status = ?, attempts = attempts - 1 WHERE status = ?", (Status.FAILED, Status.RUNNING)
        )

    def started(self, item: Item, stage: str, config: str) -> int:
        """Count an attempt; returns its number from 1.

        Args:
            item: What is worked on.
            stage: Name of the stage.
            config: Hash of its configuration.
        """
        row = self._execute(
            "INSERT INTO items (video, clip, stage, config, status, attempts) VALUES (?, ?, ?, ?, ?, 1) "
            "ON CONFLICT DO UPDATE SET status = excluded.status, attempts = attempts + 1 RETURNING attempts",
            (item.video, item.clip, stage, config, Status.RUNNING),
        ).fetchone()
        return int(row[0])

    def done(self, item: Item, stage: str, config: str, seconds: float, peak_mib: float) -> None:
        """The output is in place.

        Args:
            item: What was worked on.
            stage: Name of the stage.
            config: Hash of its configuration.
            seconds: How long it took.
            peak_mib: Memory it took.
        """
        self._execute(
            "UPDATE items SET status = ?, seconds = ?, peak_mib = ?, reason = '', detail = '' "
            "WHERE video = ? AND clip = ? AND stage = ? AND config = ?",
            (Status.DONE, seconds, peak_mib, item.video, item.clip, stage, config),
        )

    def failed(self, item: Item, stage: str, config: str, reason: Reason, detail: str, final: bool) -> None:
        """An attempt failed; a final one puts the item in quarantine.

        Args:
            item: What was worked on.
            stage: Name of the stage.
            config: Hash of its configuration.
            reason: What kind of failure.
            detail: In words.
            final: Whether it is not tried again.
        """
        self._execute(
            "UPDATE items SET status = ?, reason = ?, detail = ? "
            "WHERE video = ? AND clip = ? AND stage = ? AND config = ?",
            (Status.QUARANTINED if final else Status.FAILED, reason, detail, item.video, item.clip, stage, config),
        )

    def entry(self, item: Item, stage: str, config: str) -> Entry | None:
        """The row of an item, if it was ever tried.

        Args:
            item: What it is about.
            stage: Name of the stage.
            config: Hash of its configuration.
        """
        rows = self._select("WHERE video = ? AND clip = ? AND stage = ? AND config = ?",
                            (item.video, item.clip, stage, config))  # fmt: skip
        return rows[0] if rows else None

    def release_quarantine(self) -> int:
        """Let everything in quarantine be tried again; returns how many items that are."""
        return self._execute("DELETE FROM items WHERE status = ?", (Status.QUARANTINED,)).rowcount

    def entries(self) -> list[Entry]:
        """All rows, in order of video, clip and stage."""
        return self._select("ORDER BY video, clip, rowid", ())

    def _execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._database.execute(statement, values)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise DiskFullError(self._path) from None
            raise

    def _select(self, clause: str, values: tuple[object, ...]) -> list[Entry]:
        columns = "video, clip, stage, config, status, attempts, reason, detail, seconds, peak_mib"
        rows = self._execute(f"SELECT {columns} FROM items {clause}", values).fetchall()
        return [
            Entry(video, clip, stage, config, Status(status), *others)
            for video, clip, stage, config, status, *others in rows
        ]
