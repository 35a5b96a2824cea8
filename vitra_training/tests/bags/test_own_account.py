from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vitra_training.bags.check import check_bag
from vitra_training.bags.own_account import outcome_of, own_account
from vitra_training.cli_bag import main


@pytest.fixture(scope="module")
def saved(episodes: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = episodes.write(tmp_path_factory.mktemp("own") / "wave", episodes.messages(1.0))
    return path


def edit(bag: Path, old: str, new: str) -> None:
    metadata = bag / "metadata.yaml"
    text = metadata.read_text()
    assert old in text
    metadata.write_text(text.replace(old, new))


def test_a_whole_bag_contradicts_itself_in_nothing(saved: Path) -> None:
    account = own_account(saved)
    assert (account.contradictions, account.recorded) == ((), account.texts)
    assert outcome_of(saved) == "saved"


def test_a_discarded_bag_stays_discarded_though_its_metadata_say_saved(episodes: Any, tmp_path: Path) -> None:
    about = episodes.about | {"outcome": "discarded"}
    bag = episodes.write(tmp_path / "wave", episodes.messages(1.0), about)
    edit(bag, "outcome: discarded", "outcome: saved")
    assert outcome_of(bag) == "unjudged, metadata.yaml says saved and the recording itself discarded"
    assert main(["convert", str(bag), str(tmp_path / "out")]) == 1
    assert not (tmp_path / "out").exists()


def test_of_long_texts_the_place_is_shown_where_they_differ(episodes: Any, tmp_path: Path) -> None:
    about = episodes.about | {"mounting": "as measured on Monday " * 9 + "with the left bolt"}
    bag = episodes.write(tmp_path / "wave", episodes.messages(1.0), about)
    edit(bag, "left bolt", "lost bolt")
    (words,) = own_account(bag).contradictions
    assert "with the lost bolt' in metadata.yaml" in words
    assert "with the left bolt' in the recording itself" in words


def test_what_an_operator_decides_after_the_disk_was_full_counts(episodes: Any, tmp_path: Path) -> None:
    about = episodes.about | {"outcome": "unjudged", "ended": "the disk is full"}
    bag = episodes.write(tmp_path / "wave", episodes.messages(1.0), about)
    edit(bag, "outcome: unjudged", "outcome: saved\n    discard_reason: ''")
    assert (outcome_of(bag), own_account(bag).contradictions) == ("saved", ())


def exchange(bag: Path, other: Path) -> None:
    (bag / "wave.mcap").write_bytes(next(other.glob("*.mcap")).read_bytes())


def put_beside(bag: Path, other: Path) -> None:
    shutil.copy(next(other.glob("*.mcap")), bag / "stray.mcap")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (exchange, "messages, its files of"),
        (exchange, "'instruction' is 'Wave.' in metadata.yaml, 'Bow.' in the recording itself"),
        (exchange, "they are of another recording"),
        (put_beside, "stray.mcap lies in the bag, but metadata.yaml does not name it"),
        (lambda bag, _: edit(bag, "instruction: Wave.", "instruction: Bow."), "'instruction' is 'Bow.'"),
        (lambda bag, _: edit(bag, "    instruction: Wave.\n", ""), "'instruction' is missing in metadata.yaml"),
    ],
)
def test_metadata_of_another_recording_are_named(
    saved: Path, episodes: Any, tmp_path: Path, damage: Callable[[Path, Path], None], words: str
) -> None:
    bag = Path(shutil.copytree(saved, tmp_path / "wave"))
    later = [(topic, t + 10**9, message) for topic, t, message in episodes.messages(1.2)]
    damage(bag, episodes.write(tmp_path / "other", later, episodes.about | {"instruction": "Bow."}))
    report, _ = check_bag(bag)
    assert words in " ".join(finding.message for finding in report.findings if finding.check == "metadata")
    assert not report.ok


def test_a_file_without_an_end_says_nothing_of_itself(saved: Path, tmp_path: Path) -> None:
    bag = Path(shutil.copytree(saved, tmp_path / "wave"))
    file = bag / "wave.mcap"
    whole = file.read_bytes()
    for length in (0, 20, 60, len(whole) - 1):
        file.write_bytes(whole[:length])
        assert own_account(bag).contradictions == ()
    for length in range(len(whole) - 200, len(whole)):  # whatever is damaged in its end
        file.write_bytes(whole[:length] + bytes([whole[length] ^ 0xFF]) + whole[length + 1 :])
        own_account(bag)
