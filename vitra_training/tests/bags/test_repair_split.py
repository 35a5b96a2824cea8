"""Recordings in several files are repaired part by part; bags of SQLite are read, or named with what to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from rosbags.rosbag2 import StoragePlugin, Writer

from vitra_policy.bag_storage import open_bag
from vitra_training.bags.check import check_bag
from vitra_training.bags.errors import NotOneRecordingError, SqliteBagError
from vitra_training.bags.mcap_recovery import DamageKind
from vitra_training.bags.own_account import outcome_of
from vitra_training.bags.repair import repair_bag
from vitra_training.cli_bag import main

PARTS = 11


@pytest.fixture(scope="module")
def parts(episodes: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    """A folder of MCAP files `ep_0.mcap` ... `ep_10.mcap`, and how many messages each has."""
    folder = tmp_path_factory.mktemp("parts")
    messages = episodes.messages(2.0)
    size, counts = len(messages) // PARTS + 1, []
    for number in range(PARTS):
        part = messages[number * size : (number + 1) * size]
        whole = episodes.write(folder / f"part_{number}", part)
        shutil.copy(whole / f"part_{number}.mcap", folder / f"ep_{number}.mcap")
        counts.append(len(part))
    return folder, counts


def split_bag(parts: Path, place: Path) -> Path:
    """The parts as one bag that lost its metadata."""
    place.mkdir(parents=True)
    for file in parts.glob("ep_*.mcap"):
        shutil.copy(file, place)
    return place


def test_a_split_recording_without_metadata_becomes_one_bag_with_every_message(
    parts: tuple[Path, list[int]], tmp_path: Path
) -> None:
    report = repair_bag(split_bag(parts[0], tmp_path / "ep"))
    assert report.messages == sum(parts[1])
    assert not report.damages
    check, _ = check_bag(report.result)
    assert check.ok, check.findings
    with open_bag(report.result) as reader:
        times = [t for _, t, _ in reader.messages()]
    assert times == sorted(times)


def test_a_split_recording_whose_last_part_was_cut_off_keeps_all_others_and_names_the_part(
    parts: tuple[Path, list[int]], tmp_path: Path
) -> None:
    bag = split_bag(parts[0], tmp_path / "ep.partial/ep")
    last = bag / "ep_10.mcap"
    last.write_bytes(last.read_bytes()[:-20_000])
    report = repair_bag(bag.parent)
    assert sum(parts[1][:-1]) < report.messages < sum(parts[1])
    cut = [damage for damage in report.damages if damage.kind is DamageKind.TRUNCATED]
    assert cut
    assert all("in ep_10.mcap" in str(damage) for damage in report.damages)


def test_a_part_of_which_nothing_is_readable_loses_itself_only(parts: tuple[Path, list[int]], tmp_path: Path) -> None:
    bag = split_bag(parts[0], tmp_path / "ep")
    (bag / "ep_9.mcap").write_bytes(b"rubbish")
    report = repair_bag(bag)
    assert report.messages == sum(parts[1]) - parts[1][9]
    assert "in ep_9.mcap" in str(report.damages[0])


def without(bag: Path, *numbers: int) -> Path:
    for number in numbers:
        (bag / f"ep_{number}.mcap").unlink()
    return bag


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ((1,), ["ep_1.mcap"]),
        ((0,), ["ep_0.mcap"]),
        ((0, 1, 2, 9), ["ep_0.mcap to ep_2.mcap", "ep_9.mcap"]),
        ((0, *range(2, 11)), ["ep_0.mcap"]),  # one in the middle is all there is
    ],
)
def test_parts_that_the_numbers_miss_are_a_damage_and_nobody_saved_the_rest(
    parts: tuple[Path, list[int]], tmp_path: Path, gone: tuple[int, ...], words: list[str]
) -> None:
    report = repair_bag(without(split_bag(parts[0], tmp_path / "ep"), *gone))
    assert [str(damage) for damage in report.damages] == [
        f"missing part: {name}, by the numbers of the others" for name in words
    ]
    assert outcome_of(report.result).startswith("unjudged")
    check, _ = check_bag(report.result)
    assert any("missing part" in finding.message for finding in check.findings if finding.check == "repaired")


def test_a_bag_in_one_file_whose_name_ends_in_a_number_misses_nothing(episodes: Any, tmp_path: Path) -> None:
    for name in ("take_3", "episode_000007"):
        bag = episodes.write(tmp_path / name, episodes.messages(0.5))
        (bag / "metadata.yaml").unlink()
        report = repair_bag(bag)
        assert (report.damages, outcome_of(report.result)) == ((), "saved")


def test_parts_that_metadata_name_and_that_are_gone_are_named(parts: tuple[Path, list[int]], tmp_path: Path) -> None:
    bag = split_bag(parts[0], tmp_path / "ep")
    names = [f"ep_{number}.mcap" for number in range(PARTS)]
    information = {"relative_file_paths": names, "storage_identifier": "mcap", "message_count": sum(parts[1])}
    (bag / "metadata.yaml").write_text(yaml.safe_dump({"rosbag2_bagfile_information": information}))
    report = repair_bag(without(bag, 5, 10))
    missing = [str(damage) for damage in report.damages if damage.kind is DamageKind.MISSING_PART]
    assert missing == [f"missing part: ep_{n}.mcap, which metadata.yaml names" for n in (5, 10)]


def test_files_of_two_recordings_are_never_made_into_one(parts: tuple[Path, list[int]], tmp_path: Path) -> None:
    bag = split_bag(parts[0], tmp_path / "ep")
    shutil.copy(bag / "ep_9.mcap", bag / "another_0.mcap")
    with pytest.raises(NotOneRecordingError):
        repair_bag(bag)
    two = tmp_path / "two"
    for number in (0, 1):
        (two / f"bag_{number}").mkdir(parents=True)
        shutil.copy(bag / "ep_9.mcap", two / f"bag_{number}/ep_{number}.mcap")
    with pytest.raises(NotOneRecordingError):
        repair_bag(two)


@pytest.fixture
def sqlite_bag(episodes: Any, tmp_path: Path) -> Path:
    path = tmp_path / "set/sqlite"
    path.parent.mkdir()
    writer = Writer(path, version=9, storage_plugin=StoragePlugin.SQLITE3)
    for key, value in episodes.about.items():
        writer.set_custom_data(key, value)
    with writer:
        connections: dict[str, Any] = {}
        for topic, t, message in episodes.messages(2.0):
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=episodes.types)
            writer.write(connections[topic], t, episodes.types.serialize_cdr(message, kind))
    return path


def test_a_whole_bag_of_sqlite_is_found_and_read_to_its_end(
    sqlite_bag: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (sqlite_bag, sqlite_bag.parent):
        assert main(["repair", str(path)]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "nothing is wrong, 1122 messages" in said
        assert "1 bags looked at, 0 of them hopeless" in said


@pytest.mark.parametrize("damage", ["metadata", "file"])
def test_a_damaged_bag_of_sqlite_is_named_with_what_to_do(
    sqlite_bag: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if damage == "metadata":
        (sqlite_bag / "metadata.yaml").unlink()
    else:
        file = sqlite_bag / "sqlite.db3"
        file.write_bytes(file.read_bytes()[:100_000])
    before = sorted(path.name for path in sqlite_bag.iterdir())
    with pytest.raises(SqliteBagError, match="ros2 bag reindex"):
        repair_bag(sqlite_bag)
    assert main(["repair", str(sqlite_bag.parent)]) == 1
    assert "rosbags-convert --src" in " ".join(capsys.readouterr().out.split())
    assert sorted(path.name for path in sqlite_bag.iterdir()) == before


def test_the_command_that_makes_an_mcap_bag_of_sqlite_works(sqlite_bag: Path) -> None:
    words = str(SqliteBagError(sqlite_bag, "")).split("`rosbags-convert ")[1].split("`")[0].split()
    convert = Path(sys.executable).parent / "rosbags-convert"
    subprocess.run([convert, *words], check=True, timeout=60)
    result = sqlite_bag.with_name("sqlite_mcap")
    report = repair_bag(result)
    assert (report.original, report.messages) == (None, 1122)


def test_a_bag_of_sqlite_that_lost_its_metadata_is_not_overlooked_in_a_folder(sqlite_bag: Path) -> None:
    (sqlite_bag / "metadata.yaml").unlink()
    assert main(["check", str(sqlite_bag.parent)]) == 1
