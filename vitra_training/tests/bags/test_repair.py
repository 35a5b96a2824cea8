from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from vitra_training.bags.check import check_bag
from vitra_training.bags.errors import NothingToRecoverError
from vitra_training.bags.mcap_recovery import DamageKind, recover
from vitra_training.bags.own_account import outcome_of
from vitra_training.bags.repair import repair_bag
from vitra_training.cli_bag import main


def contents(path: Path) -> list[tuple[str, int, bytes]]:
    with AnyReader([path]) as reader:
        return [(c.topic, t, bytes(raw)) for c, t, raw in reader.messages()]


@pytest.fixture(scope="module")
def whole(episodes: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = episodes.write(tmp_path_factory.mktemp("whole") / "episode_000001", episodes.messages(2.0))
    return path


def test_a_whole_bag_is_left_alone(whole: Path) -> None:
    before = sorted(p.name for p in whole.parent.iterdir())
    report = repair_bag(whole)
    assert (report.result, report.original, report.damages) == (whole, None, ())
    assert sorted(p.name for p in whole.parent.iterdir()) == before


def test_a_recording_that_was_killed_is_whole_again_with_its_words(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(2.0)
    partial = tmp_path / "episode_000007__wave.partial"
    writer = episodes.begin(partial / "episode_000007__wave")
    episodes.add(writer, messages, every=100)
    file = partial / "episode_000007__wave/episode_000007__wave.mcap"
    flushed = file.read_bytes()
    writer.storage.abort()
    file.write_bytes(flushed)  # as kill -9 leaves it
    (tmp_path / "episode_000006__wave").mkdir()
    assert check_bag(partial)[0].findings[0].check == "cut off"
    assert main(["repair", str(tmp_path)]) == 0
    result = tmp_path / "episode_000007__wave"
    got = contents(result)
    assert len(got) >= len(messages) - 100
    kinds = {topic: message.__msgtype__ for topic, _, message in messages}
    expected = [(topic, t, bytes(episodes.types.serialize_cdr(m, kinds[topic]))) for topic, t, m in messages]
    assert sorted(got) == sorted(expected[: len(got)])
    report, bag = check_bag(result)
    assert bag is not None
    assert bag.about["instruction"] == "Wave."
    assert report.ok, report.findings
    assert (tmp_path / "originals" / partial.name).is_dir(), "the original is kept"


def test_truncation_anywhere_loses_only_what_was_cut_off(whole: Path, tmp_path: Path) -> None:
    data = (whole / "episode_000001.mcap").read_bytes()
    everything = contents(whole)
    ends = sorted({data.find(raw) + len(raw) for _, _, raw in everything})
    rng = np.random.default_rng(0)
    file = tmp_path / "cut.mcap"
    for cut in rng.integers(1, len(data), 200):
        file.write_bytes(data[:cut])
        found = recover(file)
        assert any(damage.kind in (DamageKind.TRUNCATED, DamageKind.NOT_MCAP) for damage in found.damages)
        whole_before = sum(end <= cut for end in ends)
        assert len({m.data for m in found.messages}) == whole_before, f"cut at {cut}"


def test_a_flipped_bit_is_named_and_loses_at_most_the_message_it_hit(whole: Path, tmp_path: Path) -> None:
    data = bytearray((whole / "episode_000001.mcap").read_bytes())
    everything = {raw for _, _, raw in contents(whole)}
    begin_of_index = data.rfind(b"rosbag2")
    rng = np.random.default_rng(1)
    file = tmp_path / "flipped.mcap"
    unnamed = 0
    for at in rng.integers(8, begin_of_index, 100):
        data[at] ^= 1 << int(rng.integers(8))
        file.write_bytes(data)
        found = recover(file)
        data[at] = (whole / "episode_000001.mcap").read_bytes()[at]
        assert len(everything - {m.data for m in found.messages}) <= 1, f"flip at {at}"
        unnamed += not found.damages
    # A flip in a message index or in the words of a metadata record harms no message, so it needs no name.
    assert unnamed < 20


def test_a_damaged_bag_is_repaired_and_the_damage_is_written_into_it(whole: Path, tmp_path: Path) -> None:
    bag = tmp_path / "episode_000001"
    shutil.copytree(whole, bag)
    file = bag / "episode_000001.mcap"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(data[: -len(data) // 10])
    assert check_bag(bag)[0].findings[0].check == "BrokenFileError"
    report = repair_bag(bag)
    assert report.result == bag
    assert {damage.kind for damage in report.damages} >= {DamageKind.TRUNCATED}
    result, streams = check_bag(bag)
    assert streams is not None
    assert "checksum mismatch" in streams.about["repaired"]
    said = "unjudged, no operator saved it (an operator saved it before a part was lost; it was repaired)"
    assert outcome_of(bag) == said, "conversion leaves it out until somebody has looked at it"
    assert contents(report.original) if not report.original else True
    assert result.duration_s > 1.5


def test_metadata_of_another_recording_are_named_and_nobody_saved_what_is_made_of_both(
    episodes: Any, tmp_path: Path
) -> None:
    bag = episodes.write(tmp_path / "wave", episodes.messages(1.0), episodes.about | {"instruction": "Bow."})
    metadata = bag / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("instruction: Bow.", "instruction: Wave."))
    (bag / "wave.mcap").write_bytes((bag / "wave.mcap").read_bytes()[:-3000])
    report = repair_bag(bag)
    words = "contradicting texts: 'instruction' is 'Wave.' in metadata.yaml, 'Bow.' in the recording itself"
    assert words in map(str, report.damages)
    assert outcome_of(report.result).startswith("unjudged")


def test_nothing_is_made_of_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "bag.partial/bag"
    folder.mkdir(parents=True)
    with pytest.raises(NothingToRecoverError, match="no .mcap file"):
        repair_bag(tmp_path / "bag.partial")
    for rubbish in (b"", b"\x89MCAP0\r\n", os.urandom(5000)):
        (folder / "bag.mcap").write_bytes(rubbish)
        with pytest.raises(NothingToRecoverError):
            repair_bag(tmp_path / "bag.partial")
    assert (folder / "bag.mcap").read_bytes() == rubbish
