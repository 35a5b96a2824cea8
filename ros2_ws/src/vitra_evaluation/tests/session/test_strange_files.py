from __future__ import annotations

import re
from pathlib import Path

import pytest

from vitra_description.calibration import calibration_path
from vitra_evaluation import cli
from vitra_evaluation.plan.file import parse_plan
from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.report.write import write_report
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.provenance import plan_hashes
from vitra_evaluation.session.runner import Runner
from vitra_evaluation.session.verification import verify

TEXT = (Path(__file__).parents[1] / "data/small.yaml").read_text()


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr("sys.argv", ["vitra-eval", *map(str, words)])
    return cli.main()


def finished(folder: Path, plan: Plan) -> Path:
    from ..conftest import FakePort

    session = Session.create(folder, plan, plan_hashes(plan))
    Runner(session, FakePort()).run()
    session.close()
    return folder


def relative_plan() -> Plan:
    return parse_plan(TEXT.replace('{noise_m: "0.05"}', '{noise_m: "0.05", seed: "runs/checkpoint"}'), None)


@pytest.fixture
def begun_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder from which a session `s` was made whose plan names a checkpoint by a relative path."""
    place = tmp_path / "lab"
    (place / "runs/checkpoint").mkdir(parents=True)
    (place / "runs/checkpoint/weights.bin").write_bytes(b"weights")
    monkeypatch.chdir(place)
    finished(place / "s", relative_plan())
    return place


def test_a_relative_checkpoint_is_found_from_every_folder(begun_at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert verify(begun_at / "s").problems == []
    monkeypatch.chdir(begun_at.parent)
    assert verify(begun_at / "s").problems == []
    (begun_at / "runs/checkpoint/weights.bin").write_bytes(b"others")
    assert verify(begun_at / "s").problems == ["'two: seed' is another than at the start"]
    (begun_at / "runs").rename(begun_at / "moved")
    found = verify(begun_at / "s").problems
    assert found == [f"'two: seed' is not there any more (runs/checkpoint in {begun_at})"]


def test_another_checkpoint_of_the_same_relative_name_does_not_stand_in(
    begun_at: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (begun_at.parent / "runs/checkpoint").mkdir(parents=True)
    (begun_at.parent / "runs/checkpoint/weights.bin").write_bytes(b"others")
    monkeypatch.chdir(begun_at.parent)
    assert verify(begun_at / "s").problems == []


def test_a_session_goes_on_only_where_its_relative_paths_lead_to_its_inputs(
    begun_at: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (begun_at.parent / "runs/checkpoint").mkdir(parents=True)
    monkeypatch.chdir(begun_at.parent)
    assert run(monkeypatch, "resume", "lab/s", "--graph", "lockstep") == 2
    said = capsys.readouterr().err
    assert "From here 'two: seed' (runs/checkpoint) would not be what the session was begun with" in said
    assert f"cd {begun_at}, then vitra-eval resume {begun_at / 's'}" in said


def test_a_calibration_of_a_relative_path_is_found_from_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "lab"
    place.mkdir()
    (place / "mine.yaml").write_text(calibration_path("sim").read_text())
    monkeypatch.chdir(place)
    finished(place / "s", parse_plan(f"{TEXT}calibration: mine.yaml\n", None))
    monkeypatch.chdir(tmp_path)
    assert verify(place / "s").problems == []
    assert run(monkeypatch, "resume", "lab/s", "--graph", "lockstep") == 2
    (place / "mine.yaml").write_text("another")
    assert verify(place / "s").problems == ["'calibration mine.yaml' is another than at the start"]


def test_a_session_of_a_version_that_did_not_note_its_place_is_read_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lab/runs/checkpoint").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "lab")
    with monkeypatch.context() as patch:
        patch.setattr(
            "vitra_evaluation.session.store.Store.lock",
            lambda store, facts: store._append("locked", {k: v for k, v in facts.items() if k != "made_in"}),
        )
        finished(tmp_path / "lab/s", relative_plan())
    assert verify(tmp_path / "lab/s").problems == []
    monkeypatch.chdir(tmp_path)
    assert "run this again in the folder where the session was begun" in verify(tmp_path / "lab/s").problems[0]


def test_the_report_says_on_the_terminal_what_verify_finds(
    small_plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = finished(tmp_path / "s", small_plan)
    (folder / "trials/0002/last.jpg").write_bytes(b"another")
    assert run(monkeypatch, "report", folder, "--unseal") == 1
    said = capsys.readouterr().err
    assert "changed: trials/0002/last.jpg was changed" in said
    assert f"vitra-eval verify {folder}" in said
    assert "trials/0002/last.jpg was changed" in (folder / "report/report.md").read_text()


def test_what_was_found_of_a_tampered_report_stands_in_every_later_one(
    small_plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = finished(tmp_path / "s", small_plan)
    assert run(monkeypatch, "report", folder, "--unseal") == 0
    table = folder / "report/trials.csv"
    table.write_text(table.read_text().replace("fail", "success"))
    (folder / "report/report.md").unlink()
    reports = []
    for _ in range(3):
        capsys.readouterr()
        assert run(monkeypatch, "report", folder) == 1
        said = " ".join(capsys.readouterr().err.split())
        assert "changed: report/trials.csv was changed (found " in said
        reports.append({path.name: path.read_bytes() for path in (folder / "report").iterdir()})
    assert reports[0] == reports[1] == reports[2]
    for name in ("report.md", "report.html"):
        text = reports[0][name].decode()
        assert text.count("Tampering: report/trials.csv was changed (found ") == 1
        assert text.count("Tampering: report/report.md is missing (found ") == 1
    found = verify(folder)
    assert found.problems == []
    assert [note for note in found.notes if note.startswith("report/trials.csv was changed (found ")]


def test_an_honest_report_says_nothing_of_changes(
    small_plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = finished(tmp_path / "s", small_plan)
    for _ in range(2):
        assert run(monkeypatch, "report", folder, "--unseal") == 0
        assert "changed" not in capsys.readouterr().err
    assert run(monkeypatch, "verify", folder) == 0
    assert "note" not in capsys.readouterr().err


def test_somebodys_notes_beside_a_session_are_no_tampering_but_told(small_plan: Plan, tmp_path: Path) -> None:
    folder = finished(tmp_path / "s", small_plan)
    (folder / "notes.txt").write_text("the lamp flickered in trial 3")
    found = verify(folder)
    assert found.problems == []
    assert found.notes == ["notes.txt is not in the record: nothing vouches for it"]


def test_a_report_that_was_cut_off_is_told_and_written_anew(small_plan: Plan, tmp_path: Path) -> None:
    folder = finished(tmp_path / "s", small_plan)
    (folder / "report").mkdir()
    (folder / "report/report.json.new").write_text("{")
    (folder / "report/report.md").write_text("half")
    found = verify(folder)
    assert found.problems == []
    assert len(found.notes) == 2
    assert "vitra-eval report" in found.notes[0]
    session = Session.load(folder)
    session.hold()
    write_report(session, force=True)
    session.close()
    assert verify(folder).problems == []


def test_what_a_graph_leaves_in_a_session_is_not_strange(small_plan: Plan, tmp_path: Path, repo_root: Path) -> None:
    folder = finished(tmp_path / "s", small_plan)
    (place,) = re.findall(r"\$\(var session\)/([^/\"]+)", (repo_root / "launch/evaluate.launch.xml").read_text())
    (folder / place / "bag").mkdir(parents=True)
    (folder / "launch_01.log").write_text("")
    found = verify(folder)
    assert (found.problems, found.notes) == ([], [])
