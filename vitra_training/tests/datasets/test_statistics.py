from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitra_policy.action_space import HAND, SIDES
from vitra_policy.hand.xhand_map import xhand_vector_from_hand
from vitra_policy.statistics import HandKind, HandStatistics, Moments, Statistics
from vitra_training.datasets.errors import EmptyDatasetError
from vitra_training.datasets.samples.motion import motion_of
from vitra_training.datasets.samples.sample import cut_chunk
from vitra_training.datasets.samples.view import full_view
from vitra_training.datasets.sources import EpisodeSource, open_source
from vitra_training.datasets.statistics import (
    RunningMoments,
    StatisticsOptions,
    compute_statistics,
    pool,
)

PLAIN = StatisticsOptions(augment=False)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), parts=st.lists(st.integers(0, 7), min_size=1, max_size=6))
def test_merging_in_any_split_is_exact(seed: int, parts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    blocks = [rng.normal(1e3, 1e-2, (n, 4)) for n in parts]
    total = RunningMoments()
    for block in blocks:
        one = RunningMoments()
        one.add(block)
        total.merge(one)
    rows = np.concatenate(blocks)
    assert total.count == len(rows)
    if len(rows):
        assert total.moments.mean == pytest.approx(rows.mean(axis=0), rel=1e-12)
        assert total.moments.std == pytest.approx(rows.std(axis=0), abs=1e-9)


def test_statistics_are_over_valid_single_steps(human: EpisodeSource) -> None:
    rows: dict[str, list[np.ndarray]] = {side: [] for side in SIDES}
    for number in range(len(human)):
        motion = motion_of(human.load(number).episode, 160, 120)
        for frame in range(len(motion) - 1):
            chunk = cut_chunk(motion, frame, full_view(motion.camera), steps=1)
            for side in SIDES:
                if chunk.step_valid[side][0]:
                    rows[side].append(chunk.actions[0, HAND[side]])
    found, count = compute_statistics(human, "test", PLAIN)
    assert count.episodes == len(human)
    assert found.kind is HandKind.HUMAN
    for side in found.present:
        assert found.hands[side].action.mean == pytest.approx(np.mean(rows[side], axis=0), abs=1e-12)
        floor = np.r_[np.full(3, 1e-4), np.full(48, 1e-3)]
        assert found.hands[side].action.std == pytest.approx(np.maximum(np.std(rows[side], axis=0), floor), abs=1e-12)
        assert len(found.hands[side].state.mean) == 61


def test_robot_statistics_are_over_robot_joints(robot: EpisodeSource) -> None:
    found, _ = compute_statistics(robot, "test", PLAIN)
    assert found.kind is HandKind.XHAND
    motions = [motion_of(robot.load(n).episode, 160, 120) for n in range(len(robot))]
    rows = [
        xhand_vector_from_hand(cut_chunk(m, f, full_view(m.camera), 1).actions[0, HAND["right"]])
        for m in motions
        for f in range(len(m) - 1)
    ]
    assert found.hands["right"].action.mean == pytest.approx(np.mean(rows, axis=0), abs=1e-12)


def test_workers_change_nothing(human: EpisodeSource) -> None:
    one, _ = compute_statistics(human, "test", StatisticsOptions(frames_per_episode=4))
    two, _ = compute_statistics(human, "test", StatisticsOptions(frames_per_episode=4), workers=2)
    assert one.to_dict() == two.to_dict()


def test_augmentation_fills_in_the_mirrored_hand(human: EpisodeSource) -> None:
    plain, count = compute_statistics(human, "test", PLAIN)
    augmented, count_augmented = compute_statistics(human, "test", StatisticsOptions())
    assert augmented.present == ("left", "right")
    total = sum(count.action[side].count for side in SIDES)
    assert sum(count_augmented.action[side].count for side in SIDES) == total
    assert plain.to_dict() != augmented.to_dict()


def test_broken_episodes_are_skipped_and_named(human_dir: Path, tmp_path: Path) -> None:
    for path in sorted((human_dir / "annotations").glob("*.npy"))[:3]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    broken = tmp_path / "synthetic_bad_ep_000009.npy"
    broken.write_bytes(b"rubbish")
    _, count = compute_statistics(open_source(tmp_path, video_root=human_dir), "test", PLAIN)
    assert count.episodes == 3
    assert list(count.skipped) == ["synthetic_bad_ep_000009"]
    for path in tmp_path.glob("synthetic_video*"):
        path.unlink()
    with pytest.raises(EmptyDatasetError, match="1 episodes are left out. The first: .*synthetic_bad"):
        compute_statistics(open_source(tmp_path, video_root=human_dir), "test", PLAIN)


def test_what_never_moves_deviates_by_a_floor(human: EpisodeSource) -> None:
    found, _ = compute_statistics(human, "test", PLAIN)
    for side in found.present:
        for moments in (found.hands[side].action, found.hands[side].state):
            assert moments.std[:3].min() >= 1e-4
            assert moments.std[3:].min() >= 1e-3


def test_pooling_equals_statistics_of_all_rows_together() -> None:
    rng = np.random.default_rng(0)
    rows = [rng.normal(0, 1, (100, 51)), rng.normal(3, 2, (300, 51))]
    parts = [Statistics("p", {"right": HandStatistics(Moments.of(r), Moments.of(r))}) for r in rows]
    pooled = pool(parts, [100, 300], "mix").hands["right"].action
    together = np.concatenate(rows)
    assert pooled.mean == pytest.approx(together.mean(axis=0))
    assert pooled.std == pytest.approx(together.std(axis=0))
