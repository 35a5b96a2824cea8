from __future__ import annotations

import errno
from pathlib import Path

import pytest

from vitra_evaluation import cli
from vitra_evaluation.plan.file import _TOP
from vitra_evaluation.session.attempt import Outcome, TrialResult
from vitra_evaluation.session.folder import Session

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


def judged(folder: Path, plan) -> Path:
    """A session with one judged trial."""
    session = Session.create(folder, plan)
    session.store.finish(session.store.begin(0), TrialResult(Outcome.SUCCESS, "", 1.0, "ann", has_bag=True))
    session.close()
    return folder


def test_void_rate_and_correct_name_only_trials_that_were_made(small_plan, tmp_path: Path, monkeypatch, capsys) -> None:
    folder = judged(tmp_path / "s", small_plan)
    assert run(monkeypatch, "void", folder, "--trial", 7, "--reason", "x") == 2
    assert "Unknown trial '7'" in capsys.readouterr().err
    assert run(monkeypatch, "rate", folder, "--trial", 1, "--outcome", "FAIL", "--rater", "bob") == 0
    assert run(monkeypatch, "correct", folder, "--trial", 1, "--label", "droped", "--reason", "slipped") == 2
    assert "Did you mean 'dropped'" in capsys.readouterr().err
    assert run(monkeypatch, "correct", folder, "--trial", 1, "--label", "dropped", "--reason", "slipped") == 0
    session = Session.load(folder)
    assert session.store.ratings() == {1: {"bob": str(Outcome.FAIL)}}
    assert session.store.attempts()[0].result.failure_code == "dropped"
    session.close()


@pytest.mark.parametrize(
    "words",
    [
        ("void", "--trial", 1, "--reason", "x"),
        ("rate", "--trial", 1, "--outcome", "FAIL", "--rater", "bob"),
        ("correct", "--trial", 1, "--label", "dropped", "--reason", "x"),
        ("report", "--unseal"),
        ("resume", "--graph", "lockstep"),
    ],
    ids=lambda words: words[0],
)
def test_nothing_changes_a_session_that_runs_or_whose_names_are_open(
    small_plan, tmp_path: Path, monkeypatch, capsys, words: tuple
) -> None:
    folder = judged(tmp_path / "s", small_plan)
    running = Session.load(folder)
    running.hold()
    before = len(running.store.entries)
    assert run(monkeypatch, words[0], folder, *words[1:]) == 2
    assert "Another vitra-eval" in capsys.readouterr().err
    assert len(running.store.entries) == before
    running.close()
    if words[0] == "report":
        return
    assert run(monkeypatch, "report", folder, "--unseal") == 0
    capsys.readouterr()
    assert run(monkeypatch, words[0], folder, *words[1:]) == 2
    said = capsys.readouterr().err
    assert "policies' names are open" in said or "has been unsealed" in said


LOOKS_AFTER = [
    ("report",),
    ("verify",),
    ("resume", "--graph", "lockstep"),
    ("void", "--trial", 1, "--reason", "x"),
    ("correct", "--trial", 1, "--label", "dropped", "--reason", "x"),
    ("rate", "--trial", 1, "--outcome", "FAIL", "--rater", "bob"),
]


@pytest.mark.parametrize("words", LOOKS_AFTER, ids=lambda words: words[0])
def test_a_folder_without_a_session_is_named_with_what_was_looked_for_and_what_to_run(
    small_plan, tmp_path: Path, monkeypatch, capsys, words: tuple
) -> None:
    (tmp_path / "empty").mkdir()
    session = judged(tmp_path / "eval/s", small_plan)
    for folder, why in (
        ("nowhere", "there is no such folder."),
        ("empty", "it holds neither schedule.json nor session.sqlite."),
        ("eval", f"it holds neither schedule.json nor session.sqlite. Sessions lie below it, name one: {session}"),
    ):
        assert run(monkeypatch, words[0], tmp_path / folder, *words[1:]) == 2
        said = capsys.readouterr().err
        assert f"There is no session in {tmp_path / folder}: {why}" in said
        assert "vitra-eval run PLAN --out FOLDER" in said
    assert not (tmp_path / "nowhere").exists()
    assert not list((tmp_path / "empty").iterdir())


@pytest.mark.parametrize("words", LOOKS_AFTER, ids=lambda words: words[0])
def test_a_missing_journal_is_missing_and_not_empty(
    small_plan, tmp_path: Path, monkeypatch, capsys, words: tuple
) -> None:
    folder = judged(tmp_path / "s", small_plan)
    (folder / "session.sqlite").unlink()
    before = sorted(folder.iterdir())
    assert run(monkeypatch, words[0], folder, *words[1:]) == (1 if words[0] == "verify" else 2)
    said = capsys.readouterr().err
    if words[0] == "verify":
        assert "session.sqlite is missing: without the journal nothing can be checked" in said
    else:
        assert f"There is no journal in {folder}: every result is in its session.sqlite" in said
        assert f"vitra-eval run {folder}/plan.yaml --out FOLDER" in said
    assert sorted(folder.iterdir()) == before, "no empty journal is left in its place"


def test_a_plan_that_is_not_there_is_no_mistake_in_it(tmp_path: Path, monkeypatch, capsys) -> None:
    plan = tmp_path / "my.yaml"
    for words in (("plan", plan), ("run", plan, "--out", tmp_path / "s")):
        assert run(monkeypatch, *words) == 2
        said = capsys.readouterr().err
        assert (
            f"There is no plan {plan}. Write one: vitra-eval init {plan}. Shipped ones go by name: baselines_" in said
        )
    assert not (tmp_path / "s").exists()


def test_verify_notices_an_edited_plan_and_a_blind_report_is_refused(
    small_plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    session = Session.create(tmp_path / "s", small_plan)
    anchor = session.store.anchor
    session.close()
    for given, says in (
        ([], "written; no anchor was given (--anchor)"),
        ([anchor], "; 1 anchor fits"),
        ([anchor, anchor], "; 2 anchors fit"),
    ):
        assert run(monkeypatch, "verify", tmp_path / "s", *(["--anchor", *given] if given else [])) == 0
        assert says in " ".join(capsys.readouterr().err.split())
    assert run(monkeypatch, "report", tmp_path / "s") == 2
    assert "rates stay hidden" in capsys.readouterr().err
    (tmp_path / "s/plan.yaml").write_text(SMALL.read_text().replace("seed: 3", "seed: 4"))
    assert run(monkeypatch, "verify", tmp_path / "s") == 1
    assert "the plan or the schedule was edited" in capsys.readouterr().err


def test_the_written_plan_is_good_and_documents_every_key(tmp_path: Path, monkeypatch, capsys) -> None:
    plan = tmp_path / "mine.yaml"
    assert run(monkeypatch, "init", plan) == 0
    assert run(monkeypatch, "plan", plan) == 0
    assert "declared comparisons: ours - baseline" in capsys.readouterr().err
    assert run(monkeypatch, "init", plan) == 2  # never overwritten
    text = plan.read_text()
    for key in (*_TOP, "policy", "options", "words", "sim_task", "seed", "point_m", "note", "image", "side",
                "instruction", "milestones", "task", "condition", "layouts", "trials", "pairs", "alpha"):  # fmt: skip
        assert f"{key}:" in text, key


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('noise_m: "0.05"', 'noise_m: "much"', "policy 'two' cannot be made"),
        ('noise_m: "0.05"', 'noise_m: "nan"', "give metres from 0 to 1"),
        ('noise_m: "0.05"', 'noise_m: "1e400"', "give metres from 0 to 1"),
        ('noise_m: "0.05"', 'noise: "0.05"', "policy 'two' cannot be made"),
        ("{policy: expert}", '{policy: expert, options: {step_s: "nan"}}', "allowed are 1 to 200 steps per second"),
        ("{policy: expert}", '{policy: expert, options: {return_s: "-1"}}', "allowed are 0 to 60 s"),
        ("{policy: expert}", "{policy: vitra, options: {checkpoint: nowhere/at_all}}", "policy 'one' cannot be made"),
    ],
)
def test_plan_refuses_what_run_would_refuse(
    tmp_path: Path, monkeypatch, capsys, old: str, new: str, reason: str
) -> None:
    assert old in SMALL.read_text()
    plan = tmp_path / "bad.yaml"
    plan.write_text(SMALL.read_text().replace(old, new))
    for words in (("plan", plan), ("run", plan, "--out", tmp_path / "s", "--graph", "lockstep")):
        assert run(monkeypatch, *words) == 2
        assert reason in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_policies_that_look_at_the_camera_are_not_tried_in_a_simulation_without_one(
    tmp_path, monkeypatch, capsys
) -> None:
    assert run(monkeypatch, "run", "baselines_sim", "--out", tmp_path / "s", "--graph", "lockstep") == 2
    assert "give --render" in capsys.readouterr().err


def test_two_counts_are_compared_in_a_line(monkeypatch, capsys) -> None:
    assert run(monkeypatch, "compare", "17/20", "14/20") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "No difference between 17/20 and 14/20 was shown (15 points, 95 % interval -11 to +39, p = 0.29)" in said
    assert "122 trials of each would show it" in said
    assert run(monkeypatch, "compare", "38/40", "20/40") == 0
    assert "38/40 is better than 20/40" in capsys.readouterr().err
    assert run(monkeypatch, "compare", "21/20", "14/20") == 2
    assert "impossible" in capsys.readouterr().err
    assert run(monkeypatch, "compare", "999999999/1000000000", "14/20") == 2
    assert "at most 500" in capsys.readouterr().err
    assert run(monkeypatch, "compare", f"1/{'9' * 5000}", "14/20") == 2
    assert "is no count" in capsys.readouterr().err


@pytest.mark.parametrize("rate", ["nan", "1.7", "-0.1", "1.0"])
def test_a_baseline_that_leaves_nothing_to_show_is_refused_before_anything_is_shown(
    monkeypatch, capsys, rate: str
) -> None:
    assert run(monkeypatch, "power", "--baseline", rate) == 2
    said = "".join(capsys.readouterr())
    assert said.startswith("vitra-eval: ")
    assert "Trials of each policy" not in said


def test_power_says_how_many_trials_show_which_difference(monkeypatch, capsys) -> None:
    assert run(monkeypatch, "power", "--baseline", "0.7") == 0
    assert "70 % and 85 %: 132" in capsys.readouterr().err
    assert run(monkeypatch, "power", "--baseline", "0.7", "--trials", 40) == 0
    assert "differences of 31 points and more" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "words",
    [
        ("power", "--power", "2"), ("power", "--alpha", "nan"), ("power", "--trials", "-5"),
        ("power", "--trials", "100000000"), ("compare", "17/20", "14/20", "--alpha", "7"),
        ("compare", "17/20", "14/20", "--alpha", "0"),
    ],
)  # fmt: skip
def test_levels_and_numbers_of_trials_that_mean_nothing_are_refused(
    words: tuple[str, ...], monkeypatch, capsys
) -> None:
    assert run(monkeypatch, *words) == 2
    said = capsys.readouterr().err
    assert "between 0 and 1" in said or "allowed: 1 to 2000" in said
    assert "better" not in said


def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch, capsys) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("vitra_evaluation.session.folder.write_durably", full)
    assert run(monkeypatch, "run", SMALL, "--out", tmp_path / "s", "--graph", "lockstep") == 2
    assert "Make room on its disk" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "s").exists()


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path, monkeypatch, capsys) -> None:
    (tmp_path / "file").touch()
    assert run(monkeypatch, "init", tmp_path / "file/plan.yaml") == 2
    assert "Give another path" in " ".join(capsys.readouterr().err.split())


def test_the_readme_lists_every_key() -> None:
    from vitra_evaluation.session.trial import KEYS

    readme = (Path(__file__).parent.parent / "README.md").read_text()
    for key in KEYS:
        assert f"| {'space' if key == ' ' else key} |" in readme, key
