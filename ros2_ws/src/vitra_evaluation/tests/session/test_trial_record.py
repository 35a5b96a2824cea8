"""What is kept of a trial, and which bags make it not count."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from vitra_evaluation.session import trial_record
from vitra_evaluation.session.trial_record import Evidence, keep_evidence
from vitra_policy.errors import VitraError

SOUND: dict[str, float | None] = {"messages": 12.0, "chunks": 3.0}


@pytest.fixture
def bag(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A bag of which a test says what reading it gives."""

    def read(measures: Any = SOUND, signed: frozenset[str] = frozenset({"p1"}), topics: Any = None) -> Path:
        def measured(_: Path) -> Any:
            if isinstance(measures, Exception):
                raise measures
            return measures

        monkeypatch.setattr(trial_record, "bag_measures", measured)
        monkeypatch.setattr(trial_record, "chunk_signatures", lambda _: set(signed))
        monkeypatch.setattr(trial_record.bag_report, "topics", lambda _: topics or {})
        return tmp_path / "bag"

    return read


def keep(folder: Path, bag: Path | None, alias: str = "") -> Evidence:
    return keep_evidence(folder, bag, None, None, "caption", alias)


def test_a_trial_without_a_bag_does_not_count(tmp_path: Path) -> None:
    assert keep(tmp_path, None).problem == "no bag was recorded"


@pytest.mark.parametrize("measures", [{}, {"messages": 0.0}, {"messages": None}])
def test_an_empty_bag_does_not_count(bag: Any, tmp_path: Path, measures: dict[str, Any]) -> None:
    kept = keep(tmp_path, bag(measures))
    assert kept == Evidence("the bag is empty")


def test_a_sound_bag_counts_with_its_measures(bag: Any, tmp_path: Path) -> None:
    assert keep(tmp_path, bag()) == Evidence("", SOUND)
    assert keep(tmp_path, bag(), alias="p1") == Evidence("", SOUND)


def test_a_bag_with_answers_of_another_trial_does_not_count(bag: Any, tmp_path: Path) -> None:
    kept = keep(tmp_path, bag(signed=frozenset({"p1", "p9", "p7"})), alias="p1")
    assert kept == Evidence("the bag holds answers of another trial (p7, p9)", SOUND)
    assert keep(tmp_path, bag(signed=frozenset({"p9"}))).problem == "", "nobody has said whose they must be"
    assert keep(tmp_path, bag(signed=frozenset()), alias="p1").problem == "", "it never answered"


@pytest.mark.parametrize("error", [VitraError("cut off"), OSError("no such file"), RuntimeError("rosbags")])
def test_a_bag_that_cannot_be_read_says_why(bag: Any, tmp_path: Path, error: Exception) -> None:
    assert keep(tmp_path, bag(error)).problem == f"the bag cannot be read: {type(error).__name__}: {error}"


def test_the_images_before_and_after_are_kept_where_there_are_any(tmp_path: Path) -> None:
    keep_evidence(tmp_path, None, b"one", b"", "caption")
    assert (tmp_path / "first.jpg").read_bytes() == b"one"
    assert not (tmp_path / "last.jpg").exists()


@pytest.mark.parametrize(("topics", "filmed"), [
    ({"/head_camera/color/image_raw": 4}, True), ({"/head_camera/color/image_raw": 0}, False), ({"/joints": 9}, False),
])  # fmt: skip
def test_a_video_is_made_of_a_bag_with_images(
    bag: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, topics: dict[str, int], filmed: bool
) -> None:
    made: list[Path] = []
    monkeypatch.setattr(trial_record, "write_trial_video", lambda path, bag, caption: made.append(path))
    assert keep(tmp_path, bag(topics=topics)).problem == ""
    assert bool(made) is filmed


def test_a_video_that_cannot_be_made_is_a_problem(bag: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, bag: Path, caption: str) -> int:
        raise VitraError("no codec")

    monkeypatch.setattr(trial_record, "write_trial_video", refuse)
    kept = keep(tmp_path, bag(topics={"/head_camera/color/image_raw": 4}))
    assert kept == Evidence("no video: no codec", SOUND)


def test_a_disk_that_is_too_full_for_the_video_costs_the_video_and_not_the_trial(
    bag: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, bag: Path, caption: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(trial_record, "write_trial_video", refuse)
    kept = keep(tmp_path, bag(topics={"/head_camera/color/image_raw": 4}))
    assert kept == Evidence("", SOUND, "video.mp4 cannot be written: No space left on device")
