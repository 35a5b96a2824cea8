"""Check and repair say the same of a bag, whatever its storage is, and never send anybody in a circle."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from rosbags.rosbag2 import StoragePlugin, Writer

from vitra_training.bags.check import check_bag
from vitra_training.bags.errors import ContradictoryBagError, MixedStorageError, SqliteBagError
from vitra_training.bags.repair import repair_bag

_SQLITE_HEAD = b"SQLite format 3\0" + bytes(500)


@pytest.fixture(scope="module")
def whole(episodes: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One recording in both storages."""
    folder, messages = tmp_path_factory.mktemp("storages"), episodes.messages(0.4)
    sqlite = folder / "sqlite"
    with Writer(sqlite, version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connections: dict[str, Any] = {}
        for topic, t, message in messages:
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=episodes.types)
            writer.write(connections[topic], t, episodes.types.serialize_cdr(message, kind))
    return {"mcap": episodes.write(folder / "mcap", messages), "sqlite": sqlite}


def copy(bag: Path, place: Path) -> Path:
    return Path(shutil.copytree(bag, place / bag.name))


def check_says(bag: Path) -> str:
    return " ".join(finding.message for finding in check_bag(bag)[0].findings)


def test_a_damaged_mcap_bag_beside_a_stray_db3_is_repaired(whole: dict[str, Path], tmp_path: Path) -> None:
    bag = copy(whole["mcap"], tmp_path)
    (bag / "mcap.mcap").write_bytes((bag / "mcap.mcap").read_bytes()[:-3000])
    (bag / "stray.db3").write_bytes(_SQLITE_HEAD)
    assert repair_bag(bag).messages > 0


def test_files_of_both_storages_without_metadata_are_refused_by_both_with_what_to_do(
    whole: dict[str, Path], tmp_path: Path
) -> None:
    bag = copy(whole["mcap"], tmp_path)
    (bag / "stray.db3").write_bytes(_SQLITE_HEAD)
    (bag / "metadata.yaml").unlink()
    with pytest.raises(MixedStorageError, match="move one kind into a folder of its own"):
        repair_bag(bag)
    assert "move one kind into a folder of its own" in check_says(bag)


@pytest.mark.parametrize("storage", ["mcap", "sqlite"])
def test_a_stray_file_is_wrong_for_check_and_repair(whole: dict[str, Path], tmp_path: Path, storage: str) -> None:
    bag = copy(whole[storage], tmp_path)
    (bag / "stray.mcap").write_bytes(b"")
    words = "stray.mcap lies in the bag, but metadata.yaml does not name it: move it out of the bag"
    with pytest.raises(ContradictoryBagError, match=words):
        repair_bag(bag)
    assert words in check_says(bag)


def test_a_stray_recording_is_no_part_of_the_one_that_metadata_name(whole: dict[str, Path], tmp_path: Path) -> None:
    bag = copy(whole["mcap"], tmp_path)
    shutil.copy(bag / "mcap.mcap", bag / "mcap_1.mcap")
    (bag / "mcap.mcap").write_bytes((bag / "mcap.mcap").read_bytes()[:-3000])
    report = repair_bag(bag)
    assert [path.name for path in report.result.glob("*.mcap")] == ["mcap.mcap"]
    assert (tmp_path / "originals/mcap/mcap_1.mcap").is_file()


def test_no_advice_about_a_damaged_sqlite_bag_goes_in_a_circle(whole: dict[str, Path], tmp_path: Path) -> None:
    bag = copy(whole["sqlite"], tmp_path)
    file = bag / "sqlite.db3"
    file.write_bytes(file.read_bytes()[:30_000])
    with pytest.raises(SqliteBagError) as refusal:
        repair_bag(bag)
    for said in (check_says(bag), str(refusal.value)):
        assert "vitra-bag repair" not in said
        assert "ros2 bag reindex" in said
    file.unlink()
    with pytest.raises(SqliteBagError, match="sqlite.db3, which its metadata.yaml names, is missing"):
        repair_bag(bag)
    assert "sqlite.db3, which its metadata.yaml names, is missing" in check_says(bag)


def test_what_is_said_of_a_repair_advises_no_repair(whole: dict[str, Path], tmp_path: Path) -> None:
    bag = copy(whole["mcap"], tmp_path)
    (bag / "mcap.mcap").write_bytes((bag / "mcap.mcap").read_bytes()[:-3000])
    assert f"Run `vitra-bag repair {bag}`" in check_says(bag)
    report = repair_bag(bag)
    assert "vitra-bag repair" not in " ".join(map(str, report.damages))
    assert "vitra-bag repair" not in check_says(report.result)
