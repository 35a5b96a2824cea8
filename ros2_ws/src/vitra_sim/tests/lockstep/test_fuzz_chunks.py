"""Made-up chunks through the whole chain: an episode keeps every rule, and a chain without its guard is caught."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from vitra_policy.action_space import ACTION_DIM
from vitra_safety.collision import CollisionModel
from vitra_safety.separation import SeparationWatch
from vitra_sim.lockstep import fuzz_chunks
from vitra_sim.lockstep.fuzz_chunks import Episode, RuleBrokenError, Tally, main, run_episode


def test_an_episode_keeps_every_rule_while_the_arms_travel() -> None:
    tally = run_episode(3, 250)
    assert tally.chunks == 250
    assert tally.travel_rad > 0.5
    assert 0.1 < tally.velocity_share < 1.05
    assert tally.nearest_mm > 0.0


@pytest.mark.parametrize("kind", ["untimely", "misshapen", "not finite", "far"])
def test_what_cannot_be_followed_is_refused_and_counted(kind: str) -> None:
    episode = Episode(1)
    episode.made_up.kind, episode.made_up.kinds = kind, (kind,)
    with np.errstate(all="ignore"):
        for _ in range(40):
            episode.chunk()
    assert sum(episode.tally.refused.values()) > 5


def test_the_same_seed_makes_the_same_chunks() -> None:
    def first(seed: int) -> np.ndarray:
        return np.asarray(Episode(seed).made_up.next(np.zeros(ACTION_DIM), 0.0)[0].actions)

    np.testing.assert_array_equal(first(5), first(5))
    assert first(5).size % ACTION_DIM == 0
    assert not np.array_equal(first(5), first(6))


def test_a_chain_that_lets_leaps_through_is_caught_with_its_seed_and_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    def leap(episode: Episode, stream: object, measured: np.ndarray, wanted: np.ndarray | None) -> np.ndarray:
        return measured + 0.5

    monkeypatch.setattr(Episode, "_through", leap)
    with pytest.raises(RuleBrokenError, match=r"seed 2, chunk \d+: RuleBrokenError: A setpoint leapt by"):
        run_episode(2, 50)


def test_an_arm_that_is_too_fast_is_caught_unless_it_springs_back_from_something() -> None:
    episode = Episode(0)
    q = episode._joints()
    with pytest.raises(RuleBrokenError, match=r"A joint turned at 100\.0"):
        episode._look_at_speed(float(np.radians(100.0)), q)
    episode._look_at_speed(float(np.radians(100.0)), q + 0.1)
    assert episode.tally.rebound_share == pytest.approx(100 / 90)


def test_arms_that_meet_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CollisionModel, "distance_m", lambda self, q: -0.001)
    with pytest.raises(RuleBrokenError, match="Shapes overlap"):
        run_episode(0, 5)


def test_arms_that_meet_while_they_hold_still_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CollisionModel, "distance_m", lambda self, q: -0.001)
    episode = Episode(0)
    for tick in range(2):  # nothing was asked for yet
        episode._ticks = 4 * tick
        episode._look(episode._joints())
    assert episode.tally.slips == 2
    episode._looked = episode._looked + 1e-6
    with pytest.raises(RuleBrokenError, match="Shapes overlap"):
        episode._look(episode._joints())


def test_setpoints_that_could_not_be_computed_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SeparationWatch, "measure", lambda *_: 1 / 0)
    with pytest.raises(RuleBrokenError, match="could not be computed: ZeroDivisionError"):
        run_episode(0, 5)


def test_figures_are_written_and_a_broken_rule_ends_the_command_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "deep" / "fuzz.json"
    assert main(["--chunks", "30", "--out", str(out)]) == 0
    assert json.loads(out.read_text())["chunks"] == 30
    monkeypatch.setattr(fuzz_chunks, "run_episode", lambda seed, chunks: Tally(chunks, Counter({"LateError": 3})))
    assert main(["--chunks", "30", "--out", str(out)]) == 0
    assert json.loads(out.read_text())["refused"] == {"LateError": 3}
    monkeypatch.undo()
    monkeypatch.setattr(Episode, "_look", lambda self, before: 1 / 0)
    assert main(["--chunks", "30", "--out", str(out)]) == 1
    assert "BROKEN: seed 0, chunk 0: ZeroDivisionError" in capsys.readouterr().err
