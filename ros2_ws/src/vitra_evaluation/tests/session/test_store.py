from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from vitra_evaluation.errors import DamagedError, DiskFullError, JournalBusyError, SessionError, UnsealedError
from vitra_evaluation.session.attempt import Outcome, TrialResult
from vitra_evaluation.session.store import Store

pytestmark = pytest.mark.realtime

GOOD = TrialResult(Outcome.SUCCESS, "success", 3.0, "ann", has_bag=True, milestones={"grasped": 1.5})


def test_a_result_comes_back_as_it_was(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    attempt = store.begin(4)
    store.finish(attempt, GOOD)
    assert store.attempts()[0].result == GOOD
    assert list(store.counted()) == [4]
    store.close()


def test_a_trial_without_a_readable_bag_does_not_count(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    store.finish(store.begin(0), TrialResult(Outcome.SUCCESS, "success", 1.0, "ann", has_bag=False))
    assert store.counted() == {}
    store.close()


def test_a_voided_trial_stays_on_record_but_does_not_count(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    attempt = store.begin(0)
    store.finish(attempt, GOOD)
    with pytest.raises(SessionError, match="with a reason"):
        store.void(attempt, " ", "ann")
    store.void(attempt, "bumped the table", "ann")
    assert store.counted() == {}
    assert store.attempts()[0].void_reason == "bumped the table"
    again = store.begin(0)
    store.finish(again, GOOD)
    assert store.counted()[0].id == again
    store.close()


@pytest.mark.parametrize("statement", ["UPDATE journal SET body = '{}'", "DELETE FROM journal WHERE number = 2"])
def test_nothing_can_be_edited_or_removed(tmp_path: Path, statement: str) -> None:
    store = Store(tmp_path / "s.sqlite")
    attempt = store.begin(0)
    store.finish(attempt, GOOD)
    store.void(attempt, "why not", "ann")
    store.close()
    database = sqlite3.connect(tmp_path / "s.sqlite")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.execute(statement)
    database.close()


def test_a_session_is_locked_once_and_a_result_written_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    store.lock({"schedule_sha256": "1"})
    with pytest.raises(SessionError, match="locked already"):
        store.lock({"schedule_sha256": "2"})
    attempt = store.begin(0)
    store.finish(attempt, GOOD)
    with pytest.raises(SessionError, match="has its result already"):
        store.finish(attempt, GOOD)
    with pytest.raises(SessionError, match="was never begun"):
        store.finish(99, GOOD)
    assert store.locked == {"schedule_sha256": "1"}
    store.close()


def test_second_ratings_are_kept_per_rater(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    attempt = store.begin(0)
    with pytest.raises(SessionError, match="no result"):
        store.rate(attempt, "bob", Outcome.FAIL)
    store.finish(attempt, GOOD)
    store.rate(attempt, "bob", Outcome.FAIL)
    with pytest.raises(SessionError, match="bob has rated"):
        store.rate(attempt, "bob", Outcome.SUCCESS)
    assert store.ratings() == {attempt: {"bob": "fail"}}
    store.close()


def test_a_trial_is_judged_and_voided_in_one_breath(tmp_path: Path) -> None:
    """A kill between the two would leave a void trial that counts."""
    store = Store(tmp_path / "s.sqlite")
    store.finish(store.begin(0), GOOD, void="bumped the table", person="ann")
    assert len(store.entries) == 2
    assert store.counted() == {}
    assert store.attempts()[0].void_reason == "bumped the table"
    store.close()


def test_a_label_can_be_corrected_with_a_reason_until_the_next_trial_begins(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    first = store.begin(0)
    store.finish(first, GOOD)
    with pytest.raises(SessionError, match="with a reason"):
        store.correct(first, Outcome.FAIL, "dropped", " ", "ann")
    store.correct(first, Outcome.FAIL, "dropped", "it slipped after the lift", "ann")
    store.correct(first, Outcome.SUCCESS, "", "no, it did not", "bob")
    attempt = store.attempts()[0]
    assert attempt.result == GOOD
    assert [(c.before, c.after, c.person) for c in attempt.corrections] == [
        ("success", "fail (dropped)", "ann"), ("fail (dropped)", "success", "bob"),
    ]  # fmt: skip
    store.begin(1)
    with pytest.raises(SessionError, match="trial 2 has begun since"):
        store.correct(first, Outcome.FAIL, "dropped", "too late", "ann")
    store.close()


def test_once_the_names_are_open_nothing_changes_a_result(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    attempt = store.begin(0)
    store.finish(attempt, GOOD)
    running = store.begin(1)
    store.unseal("after 1 of 2 trials", {})
    for change in (
        lambda: store.begin(2),
        lambda: store.finish(running, GOOD),
        lambda: store.void(attempt, "a bad day", "ann"),
        lambda: store.rate(attempt, "bob", Outcome.FAIL),
        lambda: store.correct(running, Outcome.FAIL, "dropped", "hm", "ann"),
    ):
        with pytest.raises(UnsealedError, match="policies' names are open since"):
            change()
    assert len(store.attempts()) == 2
    store.close()


def test_a_locked_journal_and_a_full_disk_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitra_evaluation.session.journal._BUSY_MS", 10)
    store = Store(tmp_path / "s.sqlite")
    other = sqlite3.connect(tmp_path / "s.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalBusyError, match="in use by another program"):
        store.begin(0)
    other.execute("ROLLBACK")
    other.close()
    store._journal._db.execute("PRAGMA max_page_count = 3")  # SQLite's own way to a full disk
    with pytest.raises(DiskFullError, match="Make room on its disk"):
        store.event("news", "x" * 100_000)
    committed = len(store.entries)
    store._journal._db.execute("PRAGMA max_page_count = 1000")
    store.begin(0)
    assert len(store.entries) == committed + 1
    assert store.problems() == []
    store.close()


def test_an_earlier_versions_database_is_named_as_such(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "s.sqlite")
    old.execute("CREATE TABLE attempts (id INTEGER)")
    old.close()
    with pytest.raises(SessionError, match="earlier version"):
        Store(tmp_path / "s.sqlite")


def test_a_file_that_is_no_database_is_damage(tmp_path: Path) -> None:
    (tmp_path / "s.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(DamagedError, match=r"s\.sqlite cannot be used"):
        Store(tmp_path / "s.sqlite")


_VICTIM = """
import sys, time
from pathlib import Path
from vitra_evaluation.session.attempt import Outcome, TrialResult
from vitra_evaluation.session.store import Store
store = Store(Path(sys.argv[1]))
for slot in range(1000):
    attempt = store.begin(slot)
    print("running", slot, flush=True)
    if slot == 5:
        time.sleep(60)
    store.finish(attempt, TrialResult(Outcome.FAIL, "x", 1.0, "sim", has_bag=True))
"""


def test_kill_nine_loses_the_running_trial_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    process = subprocess.Popen([sys.executable, "-c", _VICTIM, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.split()[1] == "5":
            os.kill(process.pid, signal.SIGKILL)
            break
    process.wait()
    process.stdout.close()
    store = Store(path)
    attempts = store.attempts()
    assert [a.slot for a in attempts] == [0, 1, 2, 3, 4, 5]
    assert sorted(store.counted()) == [0, 1, 2, 3, 4]
    assert attempts[5].result is None
    store.finish(store.begin(5), GOOD)
    assert sorted(store.counted()) == [0, 1, 2, 3, 4, 5]
    store.close()
