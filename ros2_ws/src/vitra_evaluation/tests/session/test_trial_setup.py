"""Where a session's trials run is locked at its start: nothing mixes two backends in one sample without a word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vitra_evaluation import cli
from vitra_evaluation.commands import sessions
from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.report.write import write_report
from vitra_evaluation.session.attended_session import AttendedSettings
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.runner import Runner
from vitra_evaluation.session.trial_setup import Setup
from vitra_evaluation.session.verification import verify

SMALL = Path(__file__).parents[1] / "data/small.yaml"


class LeftAtOnce:
    """A sitting that the evaluator leaves before a trial, and that remembers how it was to run."""

    seen: list[AttendedSettings]

    def __init__(self, session: Session, settings: AttendedSettings, say: object) -> None:
        self.seen.append(settings)

    def run(self) -> bool:
        return False


@pytest.fixture
def sittings(monkeypatch: pytest.MonkeyPatch) -> list[AttendedSettings]:
    monkeypatch.setattr(LeftAtOnce, "seen", [], raising=False)
    monkeypatch.setattr(sessions, "AttendedSession", LeftAtOnce)
    return LeftAtOnce.seen


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr("sys.argv", ["vitra-eval", *map(str, words)])
    return cli.main()


def how(settings: AttendedSettings) -> tuple[str, str, bool]:
    return settings.graph, settings.arms, settings.render


def test_a_session_goes_on_as_it_was_begun(tmp_path: Path, monkeypatch, sittings: list[AttendedSettings]) -> None:
    begun = ("--graph", "lockstep", "--arms", "both", "--render")
    assert run(monkeypatch, "run", SMALL, "--out", tmp_path / "s", *begun) == sessions.QUIT
    assert run(monkeypatch, "resume", tmp_path / "s") == sessions.QUIT
    assert run(monkeypatch, "resume", tmp_path / "s", *begun) == sessions.QUIT
    assert [how(sitting) for sitting in sittings] == [("lockstep", "both", True)] * 3
    assert verify(tmp_path / "s").problems == []


@pytest.mark.parametrize("words", [("--graph", "launch"), ("--arms", "left"), ("--render",)], ids=lambda w: w[0])
def test_a_session_is_not_gone_on_with_on_another_backend(
    tmp_path: Path, monkeypatch, capsys, sittings: list[AttendedSettings], words: tuple[str, ...]
) -> None:
    folder = tmp_path / "s"
    assert run(monkeypatch, "run", SMALL, "--out", folder, "--graph", "lockstep") == sessions.QUIT
    capsys.readouterr()
    assert run(monkeypatch, "resume", folder, *words) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "was begun with --graph lockstep --arms right --no-render and cannot go on with --graph" in said
    assert " ".join(words) in said.partition("cannot go on with")[2]
    assert f"vitra-eval resume {folder}" in said
    assert len(sittings) == 1


def test_a_launched_and_an_attached_graph_are_one_backend(
    tmp_path: Path, monkeypatch, sittings: list[AttendedSettings]
) -> None:
    assert run(monkeypatch, "run", SMALL, "--out", tmp_path / "s") == sessions.QUIT
    assert run(monkeypatch, "resume", tmp_path / "s", "--graph", "attach") == sessions.QUIT
    assert [how(sitting)[0] for sitting in sittings] == ["launch", "attach"]


def test_a_session_of_a_version_that_did_not_note_its_backend_goes_on_as_asked(
    small_plan: Plan, tmp_path: Path, monkeypatch, sittings: list[AttendedSettings]
) -> None:
    Session.create(tmp_path / "s", small_plan).close()
    assert run(monkeypatch, "resume", tmp_path / "s", "--graph", "lockstep", "--render") == sessions.QUIT
    assert run(monkeypatch, "resume", tmp_path / "s") == sessions.QUIT
    assert [how(sitting) for sitting in sittings] == [("lockstep", "right", True), ("launch", "right", False)]


def test_policies_that_look_at_the_camera_are_refused_without_one_before_anything_exists(
    tmp_path: Path, monkeypatch, capsys, sittings: list[AttendedSettings]
) -> None:
    assert run(monkeypatch, "run", "baselines_sim", "--out", tmp_path / "s", "--graph", "lockstep") == 2
    assert "give --render" in capsys.readouterr().err
    assert not (tmp_path / "s").exists(), "a session that was locked without --render could never be run"


@pytest.mark.parametrize(
    ("setup", "words"),
    [
        (Setup("lockstep", render=True), "All trials ran in the lockstep simulation, with head camera."),
        (Setup("attach", "both"), "All trials ran in the ROS graph, arms: both."),
        (None, "Where trials ran was not noted"),
    ],
)
def test_the_report_names_the_backend(
    small_plan: Plan, tmp_path: Path, fake_port, setup: Setup | None, words: str
) -> None:
    session = Session.create(tmp_path / "s", small_plan, setup=setup)
    Runner(session, fake_port).run()
    report = write_report(session).parent
    session.close()
    assert words in (report / "report.md").read_text().partition("What became of every trial")[2]
    assert json.loads((report / "report.json").read_text())["session"]["setup"] == (setup and setup.to_fact())
