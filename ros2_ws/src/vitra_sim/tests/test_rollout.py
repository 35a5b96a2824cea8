import json
from types import SimpleNamespace

from vitra_sim import rollout
from vitra_sim.rollout import Args, Episode, run, summarize
from vitra_sim.tasks.tasks import TASKS


def test_a_short_rollout_succeeds_and_reports(tmp_path):
    report = run(Args(episodes=2, task="all", out=tmp_path / "deep" / "rollout.json"))
    written = json.loads((tmp_path / "deep" / "rollout.json").read_text())
    assert report.successes == written["successes"] == 2
    assert [e["task"] for e in written["outcomes"]] == sorted(TASKS)[:2]
    assert written["real_time_factor"] > 0


def test_the_summary_adds_up():
    episodes = [Episode("t", 0, True, "", 8.0, 4.0, 2.0), Episode("t", 1, False, "time limit", 12.0, 6.0, 2.0)]
    report = summarize("expert", episodes, rendered=False)
    assert (report.successes, report.success_rate, report.episode_s) == (1, 0.5, 10.0)
    assert report.real_time_factor == 5.0
    assert report.real_time_factor_wall == 2.0


def command(monkeypatch, *args):
    monkeypatch.setattr("sys.argv", ["rollout", *args])
    return rollout.main()


def test_mistakes_on_the_command_line_end_with_code_2(monkeypatch, capsys):
    assert command(monkeypatch, "--task", "place_cub_in_box") == 2
    assert command(monkeypatch, "--policy", "exprt") == 2
    assert command(monkeypatch, "--episodes", "0") == 2
    said = capsys.readouterr().err
    assert "Did you mean 'place_cube_in_box'" in " ".join(said.split())
    assert "Did you mean 'expert'" in " ".join(said.split())


def test_a_policy_that_looks_is_told_to_be_shown_something(monkeypatch, capsys):
    class Looks:
        metadata = SimpleNamespace(needs_image=True)
        closed = False

        def close(self):
            Looks.closed = True

    monkeypatch.setattr(rollout, "create_policy", lambda *_: Looks())
    assert command(monkeypatch, "--policy", "looks") == 2
    assert "add --render" in capsys.readouterr().err
    assert Looks.closed
