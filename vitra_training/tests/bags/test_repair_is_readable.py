"""Whatever was damaged: the repaired bag is read to its end, or the bag is named hopeless; nothing is left behind."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitra_policy.bag_storage import open_bag
from vitra_training.bags import repair as module
from vitra_training.bags.errors import (
    BagInUseError,
    BagWriteError,
    ContradictoryBagError,
    HopelessBagError,
    NothingToRecoverError,
)
from vitra_training.bags.repair import clear_leftovers, repair_bag
from vitra_training.bags.streams import read_streams
from vitra_training.cli_bag import main


@pytest.fixture(scope="module")
def whole(episodes: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = episodes.write(tmp_path_factory.mktemp("whole") / "episode_000001", episodes.messages(0.4))
    return path


def assert_readable(bag: Path) -> int:
    """Every message, by type; then as the check reads it."""
    with open_bag(bag) as reader:
        count = sum(reader.deserialize(raw, c.msgtype) is not None for c, _, raw in reader.messages())
    read_streams(bag)
    return count


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Cuts, flips, holes and rubbish, several at once, everywhere in the file."""
    broken = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        at, length = int(rng.integers(len(broken))), int(rng.integers(1, 2000))
        kind = int(rng.integers(6))
        if kind == 0:
            del broken[max(at, 1) :]
        elif kind == 1:
            broken[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            broken[at : at + length] = bytes(len(broken[at : at + length]))
        elif kind == 3:
            broken[at : at + length] = rng.bytes(len(broken[at : at + length]))
        elif kind == 4:
            del broken[at : at + length]
        else:  # definitions are at the beginning
            broken[int(rng.integers(min(len(broken), 8000)))] ^= 1 << int(rng.integers(8))
        if not broken:
            break
    return bytes(broken)


def repair_damaged(whole: Path, folder: Path, seeds: range) -> tuple[int, int]:
    """How many bags are readable, and how many were named hopeless."""
    data = (whole / "episode_000001.mcap").read_bytes()
    repaired = hopeless = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        bag = folder / f"episode_{seed:06d}"
        shutil.copytree(whole, bag)
        (bag / "episode_000001.mcap").write_bytes(damage(data, rng))
        if seed % 3 == 0:
            (bag / "metadata.yaml").unlink()
        try:
            report = repair_bag(bag)
        except (NothingToRecoverError, HopelessBagError):
            hopeless += 1
            assert bag.is_dir(), "left as it is"
            continue
        except ContradictoryBagError:  # a text of the recording was changed, which no checksum tells
            assert assert_readable(bag) > 0
            repaired += 1
            continue
        assert assert_readable(report.result) == report.messages > 0
        assert repair_bag(report.result).original is None, "now nothing is wrong"
        repaired += 1
    assert not list(folder.glob("*.partial*"))
    return repaired, hopeless


def test_of_12_damaged_bags_each_is_readable_or_hopeless(whole: Path, tmp_path: Path) -> None:
    repaired, hopeless = repair_damaged(whole, tmp_path, range(12))
    assert repaired + hopeless == 12
    assert repaired >= 9


@pytest.mark.slow
def test_of_300_damaged_bags_each_is_readable_or_hopeless(whole: Path, tmp_path: Path) -> None:
    repaired, hopeless = repair_damaged(whole, tmp_path, range(1000, 1300))
    assert repaired + hopeless == 300
    assert repaired >= 260


def test_a_channel_without_its_type_costs_that_topic_only(whole: Path, tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    shutil.copytree(whole, bag)
    file = bag / "episode_000001.mcap"
    data = file.read_bytes()
    file.write_bytes(
        data[: data.rfind(b"rosbag2") - 200].replace(b"vitra_msgs/msg/ArmCommand", b"vitra_msgs?msg/ArmCommand")
    )
    report = repair_bag(bag)
    assert_readable(report.result)
    with open_bag(report.result) as reader:
        topics = {connection.topic for connection in reader.connections}
    assert "/right_arm/joint_states" in topics
    assert "/right_arm/command" not in topics
    assert any("/right_arm/command" in str(one) for one in report.damages)


def test_a_folder_is_done_to_its_end_and_the_hopeless_are_named(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b", "c"):
        shutil.copytree(whole, tmp_path / name)
    (tmp_path / "a/episode_000001.mcap").write_bytes(b"\x89MCAP0\r\nrubbish")
    file = tmp_path / "b/episode_000001.mcap"
    file.write_bytes(file.read_bytes()[:-3000])
    assert main(["repair", str(tmp_path)]) == 1
    words = " ".join(capsys.readouterr().out.split())
    assert "not repaired" in words
    assert "c: nothing is wrong" in words
    assert "3 bags looked at, 1 of them hopeless" in words
    assert_readable(tmp_path / "b")


def test_a_full_disk_leaves_nothing_and_does_not_block_the_next_repair(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bag = tmp_path / "bag"
    shutil.copytree(whole, bag)
    file = bag / "episode_000001.mcap"
    file.write_bytes(file.read_bytes()[:-3000])
    with monkeypatch.context() as patch:

        def refuse(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr("rosbags.rosbag2.storage_mcap.McapWriter.close_chunk", refuse)
        with pytest.raises(BagWriteError, match="No space left on device"):
            repair_bag(bag)
    assert [path.name for path in tmp_path.iterdir()] == ["bag"]
    assert_readable(repair_bag(bag).result)


def test_leftovers_of_a_killed_repair_are_cleared_or_completed(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "one.repairing.partial/one.writing.partial/one").mkdir(parents=True)
    (tmp_path / "one.repairing.partial/one.writing.partial/one/one.mcap").write_bytes(b"half")
    shutil.copytree(whole, tmp_path / "two.repairing.partial/two")  # killed between its last two steps
    shutil.copytree(whole, tmp_path / "originals/two")
    clear_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["originals", "two"]
    assert_readable(tmp_path / "two")


def test_a_bag_whose_metadata_are_too_deep_to_read_is_repaired(episodes: Any, tmp_path: Path) -> None:
    bag = episodes.write(tmp_path / "bag", episodes.messages(1.0))
    (bag / "metadata.yaml").write_text("[\n" * 50_000)
    assert repair_bag(bag).original == tmp_path / "originals/bag"


def test_what_cannot_be_read_after_all_is_hopeless_and_left_alone(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vitra_training.datasets.errors import BrokenFileError

    bag = tmp_path / "bag"
    shutil.copytree(whole, bag)
    (bag / "metadata.yaml").unlink()
    before = {path: path.read_bytes() for path in bag.iterdir()}

    def refuse(path: Path) -> None:
        raise BrokenFileError(path, "rosbag2 directory", "no reader takes it")

    monkeypatch.setattr(module, "read_streams", refuse)
    with pytest.raises(HopelessBagError, match="no reader takes it"):
        repair_bag(bag)
    assert {path: path.read_bytes() for path in bag.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["bag"]


def test_a_recording_under_way_is_left_to_its_recorder(episodes: Any, tmp_path: Path) -> None:
    partial = tmp_path / "episode_1.partial"
    writer = episodes.begin(partial / "episode_1")
    episodes.add(writer, episodes.messages(0.2), every=50)
    with pytest.raises(BagInUseError, match="being recorded right now"):
        repair_bag(partial)
    writer.storage.abort()  # as a kill does
    assert_readable(repair_bag(partial).result)
