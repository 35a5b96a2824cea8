from __future__ import annotations

from pathlib import Path

import pytest

from vitra_evaluation import cli
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.store import Outcome

SMALL = Path(__file__).parent / "data/small.yaml"


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr("sys.argv", ["vitra-eval", *map(str, words)])
    return cli.main()


def test_a_bad_plan_is_refused_before_anything_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "bad.yaml"
    plan.write_text(SMALL.read_text().replace("trials: 3", "trials: 0").replace("[red_cube]", "[red_cub]"))
    assert run(monkeypatch, "run", plan, "--out", tmp_path / "session", "--graph", "lockstep") == 2
    said = capsys.readouterr().err
    assert f"{plan}:17: trials must be more than 0" in said
    assert f"{plan}:17: unknown object 'red_cub'. Did you mean 'red_cube'?" in said
    assert not (tmp_path / "session").exists()


def test_a_plan_is_described_with_its_total_time(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    assert run(monkeypatch, "plan", SMALL) == 0
    assert "6 trials; 0.0 h if every one takes its 20 s + 5 s" in capsys.readouterr().err


def test_shipped_plans_go_by_name(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    assert run(monkeypatch, "plan", "table2_sm") == 2
    assert "Did you mean 'table2_sim'" in capsys.readouterr().err


def test_void_and_rate_name_only_trials_that_were_made(small_plan, tmp_path: Path, monkeypatch, capsys) -> None:
    session = Session.create(tmp_path / "s", small_plan)
    session.store.begin(0)
    session.close()
    assert run(monkeypatch, "void", tmp_path / "s", "--trial", 7, "--reason", "x") == 2
    assert "Unknown trial '7'" in capsys.readouterr().err
    assert run(monkeypatch, "rate", tmp_path / "s", "--trial", 1, "--outcome", "FAIL", "--rater", "bob") == 0
    session = Session.load(tmp_path / "s")
    assert session.store.ratings() == {1: {"bob": str(Outcome.FAIL)}}
    session.close()


def test_seal_check_notices_an_edited_schedule_and_a_blind_report_is_refused(
    small_plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    Session.create(tmp_path / "s", small_plan).close()
    assert run(monkeypatch, "seal-check", tmp_path / "s") == 0
    assert "0 of 6 trials count; sealed" in capsys.readouterr().err
    assert run(monkeypatch, "report", tmp_path / "s") == 2
    assert "rates stay hidden" in capsys.readouterr().err
    (tmp_path / "s/plan.yaml").write_text(SMALL.read_text().replace("seed: 3", "seed: 4"))
    assert run(monkeypatch, "seal-check", tmp_path / "s") == 2
    assert "was changed after it was locked" in capsys.readouterr().err


def test_the_readme_lists_every_key() -> None:
    from vitra_evaluation.session.trial import KEYS

    readme = (Path(__file__).parent.parent / "README.md").read_text()
    for key in KEYS:
        assert f"| {'space' if key == ' ' else key} |" in readme, key
