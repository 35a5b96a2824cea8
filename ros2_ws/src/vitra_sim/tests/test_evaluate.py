import json
from pathlib import Path

import numpy as np

from vitra_policy.action_space import ACTION_DIM
from vitra_policy.policies.policy import ActionChunk, Observation, PolicyMetadata
from vitra_sim import evaluate
from vitra_sim.evaluate import Args, missing, play, read_outcomes, run
from vitra_sim.lockstep.env import EnvSettings, VitraSimEnv
from vitra_sim.outcome import Failure
from vitra_sim.suites import Cell, get_suite


def test_of_a_family_each_scene_is_played_with_either_object_named():
    cell = Cell("c", ("place@seen",), 4, seed=7)
    assert cell.runs(1.0) == [("place@seen", 7), ("place@seen#1", 7), ("place@seen", 8), ("place@seen#1", 8)]


def test_a_scene_with_one_vessel_or_brush_is_played_once():
    cell = Cell("c", ("pour@seen", "sweep@unseen_object"), 3, seed=7)
    assert cell.runs(1.0) == [("pour@seen", 7), ("sweep@unseen_object", 7), ("pour@seen", 8)]


def test_the_suite_of_the_paper_has_each_of_its_four_tasks_seen_and_unseen():
    cells = get_suite("paper")
    assert [cell.episodes for cell in cells] == [40, 16, 24, 16, 8, 8, 8, 24]
    assert len({cell.seed for cell in cells}) == len(cells)
    assert [cell.target for cell in cells] == [0.95, 0.75, 0.9, 0.75, 0.9, 0.75, 0.9, 0.75]


def test_tasks_are_played_once_a_seed_and_a_small_scale_leaves_at_least_one():
    cell = Cell("c", ("place_can_in_box", "place_mug_in_box"), 100, seed=3)
    assert cell.runs(0.03) == [("place_can_in_box", 3), ("place_mug_in_box", 3), ("place_can_in_box", 4)]
    assert len(cell.runs(0.0001)) == 1


def test_cells_of_a_suite_never_share_scenes_with_other_objects():
    seeds = [cell.seed for cell in get_suite("place") if cell.image == "seen"]
    assert len(set(seeds)) == len(seeds)


def test_an_evaluation_goes_on_where_it_was_cut_and_shows_its_failures(tmp_path: Path):
    args = Args(policy="expert", cell=("seen objects",), scale=0.02, time_limit_s=0.3, out=tmp_path)
    outcomes = run(args)
    assert [o.failure for o in outcomes] == [Failure.MISSED] * 2
    assert outcomes[0].named != outcomes[1].named
    assert len(list(tmp_path.rglob("failures/seen_objects/*.jpg"))) == 2
    assert read_outcomes(tmp_path / "episodes.jsonl") == outcomes
    assert missing([get_suite("place")[0]], 0.02, outcomes) == []
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["cells"][0]["success"]["n"] == 2
    assert "2 did not touch the object" in (tmp_path / "report.md").read_text()


def test_an_unknown_suite_is_named_with_those_there_are(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["evaluate", "--suite", "plac"])
    assert evaluate.main() == 2
    assert "place" in capsys.readouterr().err


class StandsStill:
    """A policy that keeps the hand where it is and remembers what it was shown."""

    def __init__(self, uses_committed: bool = True) -> None:
        self.metadata = PolicyMetadata("stands still", steps=8, step_s=0.05, uses_committed=uses_committed)
        self.shown: list[Observation] = []

    def reset(self) -> None:
        self.shown.clear()

    def infer(self, observation: Observation) -> ActionChunk:
        self.shown.append(observation)
        actions = np.zeros((8, ACTION_DIM), dtype=np.float32)
        return ActionChunk(actions, observation.hands, 0.05, "stands still")


def committed_steps(latency_s: float, policy: StandsStill) -> list[int]:
    settings = EnvSettings(image_size=(32, 24), time_limit_s=0.35, latency_s=latency_s, chunk_period_s=0.15)
    env = VitraSimEnv("place_can_in_box", settings)
    try:
        play(env, policy, Cell("c", ("place_can_in_box",), 1, seed=0), "place_can_in_box", 0, latency_s)  # type: ignore[arg-type]
    finally:
        env.close()
    return [0 if one.committed is None else one.committed.steps for one in policy.shown]


def test_a_policy_that_uses_them_is_told_the_steps_that_are_executed_before_its_answer_takes_effect():
    assert committed_steps(0.08, StandsStill()) == [0, 2, 2]
    assert committed_steps(0.08, StandsStill(uses_committed=False)) == [0, 0, 0]
    assert committed_steps(0.0, StandsStill()) == [0, 0, 0]
