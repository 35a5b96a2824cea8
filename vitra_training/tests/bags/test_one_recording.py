"""Files of several recordings in one folder are never made into one, whatever their names are."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from vitra_training.bags.errors import NotOneRecordingError
from vitra_training.bags.own_account import join_texts, outcome_of, own_account
from vitra_training.bags.repair import repair_bag

Write = Callable[..., Path]


@pytest.fixture
def write(episodes: Any, tmp_path: Path) -> Write:
    """Writes the messages from `begin_s` to `end_s` into `ep/ep_NUMBER.mcap`, `late_s` later; returns the folder."""
    everything = episodes.messages(3.0)
    start_ns = everything[0][1]

    def one(
        number: int, begin_s: float, end_s: float, late_s: float = 0.0, about: Mapping[str, str] | None = None
    ) -> Path:
        begin_ns, end_ns, late_ns = (int(s * 1e9) for s in (begin_s, end_s, late_s))
        some = [(c, t + late_ns, m) for c, t, m in everything if begin_ns <= t - start_ns < end_ns]
        part = episodes.write(tmp_path / f"of/part_{number}", some, episodes.about | dict(about or {}))
        (tmp_path / "ep").mkdir(exist_ok=True)
        shutil.move(part / f"part_{number}.mcap", tmp_path / f"ep/ep_{number}.mcap")
        return tmp_path / "ep"

    return one


def refused(bag: Path, words: str) -> None:
    before = {path: path.read_bytes() for path in bag.iterdir()}
    with pytest.raises(NotOneRecordingError, match=words):
        repair_bag(bag)
    assert {path: path.read_bytes() for path in bag.iterdir()} == before, "nothing is written"
    assert sorted(path.name for path in bag.parent.iterdir()) == ["ep", "of"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"outcome": "discarded", "discard_reason": "cube fell"}, {"outcome": "saved"}),
        ({"operator": "Ann"}, {"operator": "Bob"}),
        ({"instruction": "Wave."}, {"instruction": "Pour the tea."}),
        ({"started": "2026-01-01T10:00:00"}, {"started": "2026-01-01T10:00:02"}),
    ],
)
def test_parts_that_say_different_things_of_themselves_are_refused(
    write: Write, first: dict[str, str], second: dict[str, str]
) -> None:
    write(0, 0.0, 1.0, about=first)
    key = next(iter(first))
    refused(write(1, 1.0, 2.0, about=second), f"'{key}' is '{first[key]}' in ep_0.mcap, '{second[key]}' in ep_1.mcap")


def test_a_part_decided_upon_when_the_recording_ended_is_no_other_recording(write: Write) -> None:
    write(0, 0.0, 1.0, about={"outcome": "unjudged"})
    report = repair_bag(write(1, 1.0, 2.0, about={"outcome": "discarded", "discard_reason": "cube fell"}))
    assert (report.damages, outcome_of(report.result)) == ((), "discarded")


def test_parts_that_lie_further_apart_than_a_split_are_refused(write: Write) -> None:
    write(0, 0.0, 1.0)
    refused(write(1, 1.0, 2.0, late_s=2.1), "ep_1.mcap begins 2.1 s after ep_0.mcap ends")


def test_a_pause_that_a_robot_may_make_is_no_other_recording(write: Write) -> None:
    write(0, 0.0, 1.0)
    assert not repair_bag(write(1, 1.0, 2.0, late_s=1.5)).damages


def test_parts_recorded_at_the_same_time_are_refused(write: Write) -> None:
    write(0, 0.0, 2.0)
    refused(write(1, 1.0, 3.0), "ep_1.mcap begins 0.9 s before ep_0.mcap ends")


def test_parts_whose_order_is_not_that_of_their_numbers_are_refused(write: Write) -> None:
    write(1, 0.0, 1.0)
    refused(write(0, 1.0, 2.0), "ep_1.mcap begins 2.0 s before ep_0.mcap ends")


def test_a_part_and_its_copy_are_refused(write: Write, tmp_path: Path) -> None:
    shutil.copy(write(0, 0.0, 1.0) / "ep_0.mcap", write(1, 1.0, 2.0) / "ep_2.mcap")
    refused(tmp_path / "ep", "ep_2.mcap is a copy of ep_0.mcap")


def test_messages_a_busy_recorder_writes_late_across_a_split_are_no_overlap(write: Write) -> None:
    write(0, 0.0, 1.0)
    report = repair_bag(write(1, 1.0, 2.0, late_s=-0.2))
    assert not report.damages


def test_episodes_in_one_folder_are_no_parts_though_their_names_end_in_numbers(write: Write) -> None:
    for number in (0, 1):
        folder = write(number, number, number + 1.0)
        (folder / f"ep_{number}.mcap").rename(folder / f"ep_00000{number}.mcap")
    refused(folder, "parts are named NAME_0.mcap")


def test_what_was_discarded_stays_discarded_wherever_texts_meet(episodes: Any, tmp_path: Path) -> None:
    discarded, saved = {"outcome": "discarded", "discard_reason": "cube fell"}, {"outcome": "saved"}
    for accounts in ((discarded, saved), (saved, discarded)):
        assert join_texts(*accounts) == discarded
    bag = episodes.write(tmp_path / "wave", episodes.messages(1.0), episodes.about | discarded)
    metadata = bag / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("outcome: discarded", "outcome: saved"))
    (bag / "wave.mcap").write_bytes((bag / "wave.mcap").read_bytes()[:-3000])
    assert outcome_of(repair_bag(bag).result) == "discarded"


def test_files_that_metadata_name_as_one_contradict_each_other_by_name(episodes: Any, tmp_path: Path) -> None:
    bag = episodes.write(tmp_path / "ep", episodes.messages(1.0))
    other = episodes.write(tmp_path / "other", episodes.messages(1.0), episodes.about | {"outcome": "discarded"})
    shutil.copy(other / "other.mcap", bag / "ep_1.mcap")
    metadata = bag / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("  - ep.mcap", "  - ep.mcap\n  - ep_1.mcap"))
    account = own_account(bag)
    assert "'outcome' is 'saved' in ep.mcap, 'discarded' in ep_1.mcap" in account.contradictions
    assert account.outcome.startswith("unjudged")
