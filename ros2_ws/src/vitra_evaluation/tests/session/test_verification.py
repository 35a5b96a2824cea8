"""A finished session is tampered with in every way we could think of; `verify` finds each."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from vitra_evaluation.blinding.answer_schedule import SCHEDULE_NAME as ANSWERS_NAME
from vitra_evaluation.blinding.blinded_policy import LATENCY_NAME, LOG_NAME
from vitra_evaluation.blinding.blinding_key import open_blinding_key
from vitra_evaluation.plan.file import parse_plan
from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.report.write import write_report
from vitra_evaluation.session.attempt import Outcome
from vitra_evaluation.session.files import tree_hashes
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.journal import Entry, chained
from vitra_evaluation.session.provenance import plan_hashes
from vitra_evaluation.session.runner import Runner
from vitra_evaluation.session.verification import verify

Tamper = Callable[[Path], object]


@dataclasses.dataclass
class Finished:
    """A finished session, and the anchors that its evaluator wrote down."""

    folder: Path
    checkpoint: Path
    anchors: list[str]


def plan_with_checkpoint(text: str, checkpoint: Path) -> Plan:
    options = f'options: {{noise_m: "0.05", seed: "{checkpoint}"}}'
    return parse_plan(text.replace('options: {noise_m: "0.05"}', options), None)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    from ..conftest import FakePort, write_bag

    root = tmp_path_factory.mktemp("finished")
    checkpoint = root / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "weights.bin").write_bytes(bytes(1000))
    (checkpoint / "config.json").write_text("{}")
    text = (Path(__file__).parents[1] / "data/small.yaml").read_text()
    plan = plan_with_checkpoint(text, checkpoint)
    session = Session.create(root / "s", plan, plan_hashes(plan))
    anchors = [session.store.anchor]
    (session.folder / ANSWERS_NAME).write_text('{"answer_s": 0.4}\n')
    port = FakePort()
    port.outcome = lambda number: number % 3 != 0
    port.finish = lambda folder: write_bag(folder / "bag", 2.0 + 0.1 * port.started) or folder / "bag"
    Runner(session, port).run()
    session.store.rate(6, "bob", Outcome.FAIL)
    session.store.void(2, "bumped the table", "ann")
    Runner(session, port).run()
    session.store.correct(7, Outcome.FAIL, "dropped", "slipped", "ann")
    names = open_blinding_key(root / "s").names
    rows = [{"alias": alias, "answer_s": [0.1], "late": 0, "chunk": "16 x 33 ms"} for alias in names]
    (root / "s" / LATENCY_NAME).write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "s" / LOG_NAME).write_text("one speaks\n")
    anchors.append(session.store.anchor)
    write_report(session)
    anchors.append(session.store.anchor)
    session.close()
    return Finished(root / "s", checkpoint, anchors)


@pytest.fixture
def finished(original: Finished, tmp_path: Path) -> Finished:
    """A copy that may be spoilt; its checkpoint is the original's, put back by the tests that touch it."""
    folder = tmp_path / "s"
    shutil.copytree(original.folder, folder)
    return Finished(folder, original.checkpoint, original.anchors)


def test_an_untouched_session_is_as_it_was_recorded(finished: Finished) -> None:
    found = verify(finished.folder, finished.anchors)
    assert found.problems == []
    assert found.anchors == 3
    assert found.checked > 20


def test_what_is_written_to_the_sealed_log_after_the_report_is_no_tampering(finished: Finished) -> None:
    with (finished.folder / LATENCY_NAME).open("a") as file:  # a policy process that closes later
        file.write('{"alias": "001A", "answer_s": [0.1], "chunk": ""}\n')
    assert verify(finished.folder, finished.anchors).problems == []


def edit(name: str, old: str, new: str) -> Tamper:
    def tamper(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return tamper


def flip_a_byte(pattern: str) -> Tamper:
    def tamper(folder: Path) -> None:
        path = sorted(folder.glob(pattern))[0]
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))

    return tamper


def remove(pattern: str) -> Tamper:
    def tamper(folder: Path) -> None:
        path = sorted(folder.glob(pattern))[0]
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return tamper


def swap(first: str, second: str) -> Tamper:
    def tamper(folder: Path) -> None:
        shutil.move(folder / first, folder / "x")
        shutil.move(folder / second, folder / first)
        shutil.move(folder / "x", folder / second)

    return tamper


def change_seal(change: Callable[[dict], object]) -> Tamper:
    def tamper(folder: Path) -> None:
        body = json.loads((folder / "sealed.json").read_text())
        change(body)
        (folder / "sealed.json").write_text(json.dumps(body))

    return tamper


def swap_names(body: dict) -> None:
    body["names"] = {alias: {"one": "two", "two": "one"}[name] for alias, name in body["names"].items()}


def sql(*statements: str) -> Tamper:
    """The database by hand, its guards taken off."""

    def tamper(folder: Path) -> None:
        database = sqlite3.connect(folder / "session.sqlite")
        database.execute("DROP TRIGGER journal_update")
        database.execute("DROP TRIGGER journal_delete")
        for statement in statements:
            database.execute(statement)
            assert database.total_changes
        database.commit()
        database.close()

    return tamper


def rechain(change: Callable[[list[Entry]], list[tuple[str, str, str]]]) -> Tamper:
    """Write the whole journal anew, with right hashes: what somebody would do who has read this code."""

    def tamper(folder: Path) -> None:
        database = sqlite3.connect(folder / "session.sqlite")
        database.execute("DROP TRIGGER journal_update")
        database.execute("DROP TRIGGER journal_delete")
        rows = [Entry(*row) for row in database.execute("SELECT * FROM journal ORDER BY number")]
        database.execute("DELETE FROM journal")
        last = None
        for at, kind, text in change(rows):
            last = chained(last, at, kind, text)
            database.execute(
                "INSERT INTO journal VALUES (?, ?, ?, ?, ?)", (last.number, last.at, last.kind, last.text, last.sha256)
            )
        database.commit()
        database.close()

    return tamper


def better(rows: list[Entry]) -> list[tuple[str, str, str]]:
    return [(r.at, r.kind, r.text.replace('"outcome": "fail"', '"outcome": "success"')) for r in rows]


def without(kind: str) -> Callable[[list[Entry]], list[tuple[str, str, str]]]:
    return lambda rows: [(r.at, r.kind, r.text) for r in rows if r.kind != kind]


def later_void(rows: list[Entry]) -> list[tuple[str, str, str]]:
    body = json.dumps({"attempt": 1, "reason": "looks bad", "person": "ann", "files": {}})
    return [*[(r.at, r.kind, r.text) for r in rows], (rows[-1].at, "void", body)]


def redrawn(folder: Path) -> None:
    """A session made anew from the same plan, with results to one's liking."""
    plan = parse_plan((folder / "plan.yaml").read_text(), None)
    shutil.rmtree(folder)
    from ..conftest import FakePort

    session = Session.create(folder, plan, plan_hashes(plan))
    Runner(session, FakePort()).run()
    session.close()


FILES: dict[str, Tamper] = {
    "plan edited": edit("plan.yaml", "trials: 3", "trials: 4"),
    "plan's comment edited": edit("plan.yaml", "name: small", "name: small # "),
    "plan removed": remove("plan.yaml"),
    "schedule edited": edit("schedule.json", '"layout": "a"', '"layout": "b"'),
    "schedule truncated": lambda f: (f / "schedule.json").write_text((f / "schedule.json").read_text()[:300]),
    "schedule nests without end": lambda folder: (folder / "schedule.json").write_text("[" * 100_000),
    "seal nests without end": lambda folder: (folder / "sealed.json").write_text("[" * 100_000),
    "a pipe beside a bag": lambda folder: os.mkfifo(folder / "trials/0003/bag/pipe"),
    "a linked folder beside a bag": lambda folder: (folder / "trials/0003/bag/more").symlink_to(folder / "references"),
    "schedule removed": remove("schedule.json"),
    "seal: names swapped": change_seal(swap_names),
    "seal: another secret": change_seal(lambda body: body.update(secret="0" * 64)),
    "seal: other options": change_seal(lambda body: body["policies"][0]["options"].append(["noise_m", "0"])),
    "seal: another answer time": change_seal(lambda body: body.update(answer_s=9.0)),
    "seal removed": remove("sealed.json"),
    "a byte of a bag": flip_a_byte("trials/0003/bag/*.mcap"),
    "a bag's index": flip_a_byte("trials/0003/bag/metadata.yaml"),
    "a file of a bag removed": remove("trials/0001/bag/*.mcap"),
    "a bag removed": remove("trials/0001/bag"),
    "two bags swapped": swap("trials/0003/bag", "trials/0004/bag"),
    "the bag of a void trial": flip_a_byte("trials/0002/bag/*.mcap"),
    "a file added to a bag": lambda f: (f / "trials/0001/bag/more.mcap").write_bytes(b"x"),
    "an image": flip_a_byte("trials/0005/last.jpg"),
    "an image removed": remove("trials/0005/first.jpg"),
    "a video put in": lambda f: (f / "trials/0005/video.mp4").write_bytes(b"x"),
    "a trial's folder removed": remove("trials/0004"),
    "a trial's folder added": lambda f: shutil.copytree(f / "trials/0004", f / "trials/0099"),
    "two trials swapped": swap("trials/0003", "trials/0004"),
    "a reference image": flip_a_byte("references/*.jpg"),
    "the sealed answer times": edit(LATENCY_NAME, "0.1", "0.2"),
    "the sealed log": edit(LOG_NAME, "one", "two"),
    "the report": edit("report/report.html", "Success rates", "success rates"),
    "the report's figures": edit("report/report.json", '"k": ', '"k":  '),
    "the report's table": edit("report/trials.csv", "fail", "success"),
    "the report removed": remove("report/report.md"),
    "a second report beside it": lambda f: shutil.copy(f / "report/report.html", f / "report/report_final.html"),
    "a foreign file beside the report": lambda f: (f / "report/active.json").write_text("{}"),
    "a folder of figures beside the report": lambda f: shutil.copytree(f / "references", f / "report/figures"),
    "a report beside the folder of the report": lambda f: shutil.copy(f / "report/report.html", f / "Report.html"),
    "another trial's turn": edit("active.json", '"attempt": 7', '"attempt": 6'),
    "nobody's turn": lambda f: (f / "active.json").write_text("[]"),
    "another answer time": edit(ANSWERS_NAME, "0.4", "0.5"),
    "no answer time": remove(ANSWERS_NAME),
    "an answer time that is none": lambda f: (f / ANSWERS_NAME).write_text('{"answer_s": 0.4}?'),
    "the journal removed": remove("session.sqlite"),
    "the journal is no database": lambda f: (f / "session.sqlite").write_bytes(b"no" * 500),
}
RECORD: dict[str, Tamper] = {
    "a result edited": sql("""UPDATE journal SET body = replace(body, '"fail"', '"success"') WHERE kind = 'result'"""),
    "a row removed": sql("DELETE FROM journal WHERE number = 5"),
    "a void removed": sql("DELETE FROM journal WHERE kind = 'void'"),
    "a rating edited": sql("""UPDATE journal SET body = replace(body, 'bob', 'eve') WHERE kind = 'rating'"""),
    "a correction edited": sql("UPDATE journal SET body = replace(body, 'slipped', 'no') WHERE kind = 'correction'"),
    "a time edited": sql("UPDATE journal SET at = '2001-01-01T00:00:00.000+00:00' WHERE number = 7"),
    "two rows exchanged": sql(
        "UPDATE journal SET number = 1000 WHERE number = 4", "UPDATE journal SET number = 4 WHERE number = 5",
        "UPDATE journal SET number = 5 WHERE number = 1000",
    ),
    "a row added": sql("INSERT INTO journal VALUES (1000, '2030', 'void', '{}', 'x')"),
    "a row before the first": sql("INSERT INTO journal VALUES (0, '2030', 'void', '{}', 'x')"),
    "a body that is no text": sql("UPDATE journal SET body = x'ff00' WHERE number = 3"),
    "a body that nests without end": sql(f"UPDATE journal SET body = '{'[' * 100_000}' WHERE number = 3"),
    "a hash that is none": sql("UPDATE journal SET sha256 = 'zz' WHERE number = 20"),
    "the inputs edited": sql("UPDATE journal SET body = replace(body, 'two: seed', 'two: sead') WHERE number = 1"),
    "a void after the report, with right hashes": rechain(later_void),
    "no result any more, with right hashes": rechain(without("result")),
}  # fmt: skip
ANCHORED: dict[str, Tamper] = {
    "better results, with right hashes": rechain(better),
    "the correction left out, with right hashes": rechain(without("correction")),
    "the rating left out, with right hashes": rechain(without("rating")),
    "the last rows cut off": sql("DELETE FROM journal WHERE number > 20"),
    "the whole session made anew": redrawn,
}
"""Only an anchor that somebody has kept shows these."""


@pytest.mark.parametrize("what", FILES | RECORD)
def test_tampering_is_found(finished: Finished, what: str) -> None:
    (FILES | RECORD)[what](finished.folder)
    assert verify(finished.folder).problems
    assert verify(finished.folder, finished.anchors).problems


def test_what_lies_behind_a_linked_folder_is_hashed_once(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/weights.bin").write_bytes(b"1")
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "real/round").symlink_to(folder)
    before = tree_hashes(folder)
    assert "linked/weights.bin" in before
    (tmp_path / "real/weights.bin").write_bytes(b"2")
    assert tree_hashes(folder) != before
    assert tree_hashes(tmp_path / "nowhere") == {}


@pytest.mark.parametrize("what", ANCHORED)
def test_a_record_that_was_made_anew_does_not_fit_the_anchors(finished: Finished, what: str) -> None:
    ANCHORED[what](finished.folder)
    assert any("anchor" in problem for problem in verify(finished.folder, finished.anchors).problems)


@pytest.mark.parametrize("what", ["a byte", "a file added", "a file removed", "the folder removed"])
def test_another_checkpoint_than_at_the_start_is_found(finished: Finished, tmp_path: Path, what: str) -> None:
    kept = tmp_path / "kept"
    shutil.copytree(finished.checkpoint, kept)
    try:
        match what:
            case "a byte":
                flip_a_byte("weights.bin")(finished.checkpoint)
            case "a file added":
                (finished.checkpoint / "adapter.bin").write_bytes(b"x")
            case "a file removed":
                (finished.checkpoint / "config.json").unlink()
            case _:
                shutil.rmtree(finished.checkpoint)
        assert any("'two: seed'" in problem for problem in verify(finished.folder).problems)
    finally:
        shutil.rmtree(finished.checkpoint, ignore_errors=True)
        shutil.copytree(kept, finished.checkpoint)
    assert verify(finished.folder).problems == []


def test_another_calibration_than_at_the_start_is_found(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    other = finished.folder.parent / "other.yaml"
    other.write_text("elsewhere")
    monkeypatch.setattr("vitra_evaluation.session.provenance.calibration_path", lambda name: other)
    assert any("calibration sim" in problem for problem in verify(finished.folder).problems)


def test_there_are_more_than_thirty_kinds() -> None:
    assert len(FILES | RECORD | ANCHORED) + 5 >= 30


def test_a_wrong_or_mistyped_anchor_is_told_apart(finished: Finished) -> None:
    for typed in ("hello", "²-ABCD", "９-ABCD", ""):
        assert "is no anchor" in verify(finished.folder, [typed]).problems[0]
    assert "cut or made anew" in verify(finished.folder, [f"{'9' * 5000}-ABCD"]).problems[0]
    assert verify(finished.folder, [finished.anchors[0].lower()]).problems == []
    number, _, code = finished.anchors[0].partition("-")
    assert "made anew" in verify(finished.folder, [f"{number}-{code[::-1]}"]).problems[0]
