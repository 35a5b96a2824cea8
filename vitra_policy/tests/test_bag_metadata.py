from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from rosbags.rosbag2 import StoragePlugin, Writer

from vitra_policy.bag_metadata import METADATA_NAME, settle_texts, write_metadata


def texts_of(bag: Path) -> Any:
    return yaml.safe_load((bag / METADATA_NAME).read_text())["rosbag2_bagfile_information"]["custom_data"]


@pytest.mark.parametrize(
    "text",
    ["b\x85e", "aInfo\\nstd_msgs/Header \x07header\\n" * 9, "Put the red cube into the box.", ""],
    ids=["next line", "a long one with backslashes", "plain", "empty"],
)
def test_what_is_read_from_metadata_is_what_was_to_be_kept(tmp_path: Path, text: str) -> None:
    texts = {"instruction": text, "outcome": "saved"}
    bag = tmp_path / "bag"
    with Writer(bag, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for key, value in texts.items():
            writer.set_custom_data(key, value)
    before = yaml.safe_load((bag / METADATA_NAME).read_text())
    settle_texts(bag, texts)
    assert texts_of(bag) == texts
    after = yaml.safe_load((bag / METADATA_NAME).read_text())
    for content in (before, after):
        del content["rosbag2_bagfile_information"]["custom_data"]
    assert after == before, "and nothing else is changed"
    assert [path.name for path in bag.iterdir() if path.suffix != ".mcap"] == [METADATA_NAME]


def test_metadata_that_are_right_are_left_as_they_are(tmp_path: Path) -> None:
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        writer.set_custom_data("outcome", "saved")
    file = tmp_path / "bag" / METADATA_NAME
    before = file.stat().st_mtime_ns, file.read_text()
    settle_texts(tmp_path / "bag", {"outcome": "saved"})
    assert (file.stat().st_mtime_ns, file.read_text()) == before


def test_a_bag_without_texts_needs_none(tmp_path: Path) -> None:
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP):
        pass
    settle_texts(tmp_path / "bag", {})
    assert not texts_of(tmp_path / "bag")


def test_words_stay_readable_for_people_where_yaml_can_hold_them(tmp_path: Path) -> None:
    write_metadata(tmp_path / METADATA_NAME, {"notes": "Würfel"})
    assert "Würfel" in (tmp_path / METADATA_NAME).read_text(encoding="utf-8")
    write_metadata(tmp_path / METADATA_NAME, {"notes": "Würfel\x85"})
    assert yaml.safe_load((tmp_path / METADATA_NAME).read_text(encoding="utf-8")) == {"notes": "Würfel\x85"}
