from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from vitra_training.datasets import survey as module
from vitra_training.datasets.errors import BrokenFileError, SurveyStalledError
from vitra_training.datasets.sources import EpisodeSource, open_source
from vitra_training.datasets.statistics import StatisticsOptions, compute_statistics
from vitra_training.datasets.survey import Share, survey

PLAIN = StatisticsOptions(augment=False)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_EPISODES_MIN", 1)
    monkeypatch.setattr(module, "_LOOK_AGAIN_S", 0.01)


def test_a_survey_is_the_index_and_the_statistics(human: EpisodeSource, tmp_path: Path) -> None:
    found = survey(human, "h", tmp_path, PLAIN)
    assert np.array_equal(found.frames, human.frame_index())
    assert found.statistics.to_dict() == compute_statistics(human, "h", PLAIN)[0].to_dict()
    assert found.left_out == {}


def test_several_processes_share_the_work_and_find_the_same(
    human: EpisodeSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = survey(human, "h", tmp_path / "alone", PLAIN)
    done: dict[int, list[range]] = {}
    real = module.count_jobs

    def noted(source: EpisodeSource, jobs: list[range], *rest: object) -> object:
        done[threading.get_ident()] = list(jobs)
        return real(source, jobs, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "count_jobs", noted)
    results: list[module.Survey] = []
    ranks = [
        threading.Thread(
            target=lambda rank=rank: results.append(survey(human, "h", tmp_path / "team", PLAIN, Share(rank, 3)))
        )
        for rank in range(3)
    ]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    assert sorted(len(jobs) for jobs in done.values()) == [2, 2, 2]
    for found in results:
        assert found.statistics.to_dict() == alone.statistics.to_dict()
        assert np.array_equal(found.frames, alone.frames)
        assert found.content == alone.content


def test_the_second_time_nothing_is_loaded_and_a_change_is_noticed(
    human_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotations = tmp_path / "data" / "annotations"
    annotations.mkdir(parents=True)
    for path in (human_dir / "annotations").glob("*.npy"):
        (annotations / path.name).write_bytes(path.read_bytes())
    source = open_source(annotations, video_root=human_dir)
    first = survey(source, "h", tmp_path / "cache", PLAIN)
    with monkeypatch.context() as patched:
        patched.setattr(type(source), "load", lambda *_: pytest.fail("an episode was loaded"))
        patched.setattr(type(source), "digest", lambda *_: pytest.fail("a file was read"))
        assert survey(source, "h", tmp_path / "cache", PLAIN).content == first.content
    os.utime(sorted(annotations.glob("*.npy"))[0], ns=(1, 1))  # as by a copy: surveyed anew, the content is the same
    assert survey(source, "h", tmp_path / "cache", PLAIN).content == first.content
    sorted(annotations.glob("*.npy"))[0].unlink()
    assert survey(open_source(annotations, human_dir), "h", tmp_path / "cache", PLAIN).content != first.content


def test_a_pass_that_was_cut_short_is_taken_up_again(
    human: EpisodeSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SurveyStalledError, match="3 of 6 parts are missing"):
        survey(human, "h", tmp_path, PLAIN, Share(rank=0, world_size=2, stalled_s=0.05))
    jobs: list[range] = []
    real = module.count_jobs
    monkeypatch.setattr(module, "count_jobs", lambda s, j, *r: jobs.extend(j) or real(s, j, *r))
    survey(human, "h", tmp_path, PLAIN)
    assert len(jobs) == 3


def test_a_damaged_survey_is_named(human: EpisodeSource, tmp_path: Path) -> None:
    survey(human, "h", tmp_path, PLAIN)
    next(tmp_path.glob("h-*.npz")).write_bytes(b"rubbish")
    with pytest.raises(BrokenFileError, match="delete it"):
        survey(human, "h", tmp_path, PLAIN)
