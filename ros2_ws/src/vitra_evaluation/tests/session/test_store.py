from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from vitra_evaluation.errors import SessionError
from vitra_evaluation.session.store import Outcome, Store, TrialResult

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


@pytest.mark.parametrize(
    "statement", ["UPDATE results SET outcome = 'fail'", "DELETE FROM attempts", "DELETE FROM voids"]
)
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


def test_results_and_facts_are_written_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    attempt = store.begin(0)
    store.finish(attempt, GOOD)
    with pytest.raises(SessionError, match="there already"):
        store.finish(attempt, GOOD)
    with pytest.raises(SessionError, match="refers to no trial"):
        store.finish(99, GOOD)
    store.lock_fact("a", "1")
    store.lock_fact("a", "1")
    with pytest.raises(SessionError, match="locked as '1'"):
        store.lock_fact("a", "2")
    store.close()


def test_second_ratings_are_kept_per_rater(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    attempt = store.begin(0)
    store.rate(attempt, "bob", Outcome.FAIL)
    with pytest.raises(SessionError):
        store.rate(attempt, "bob", Outcome.SUCCESS)
    assert store.ratings() == {attempt: {"bob": "fail"}}
    store.close()


_VICTIM = """
import sys, time
from pathlib import Path
from vitra_evaluation.session.store import Outcome, Store, TrialResult
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
