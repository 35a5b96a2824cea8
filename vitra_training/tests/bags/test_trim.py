"""A cut keeps what arrived within its span, ends included, and what was true before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitra_policy.bag_storage import open_bag
from vitra_training.bags.errors import ContradictoryBagError, EmptyTrimError
from vitra_training.bags.streams import read_streams
from vitra_training.bags.trim import trim_bag
from vitra_training.cli_bag import main

CAMERA, WORDS = "/head_camera/color/image_raw", "/instruction"
SECOND = 1_000_000_000
BEGIN_NS = 1_700_000_000 * SECOND + 123_456_789


@pytest.fixture
def bag(episodes: Any, tmp_path: Path) -> Path:
    """Five images, half a second apart from the very beginning; words with the first and with the second."""
    words = [
        (WORDS, BEGIN_NS + n * SECOND // 2, episodes.make("std_msgs/msg/String", data=said))
        for n, said in enumerate(("Wait.", "Wave."))
    ]
    shown = [
        (CAMERA, t, episodes.image(t, np.full(16 * 32 * 3, n, np.uint8)))
        for n, t in enumerate(range(BEGIN_NS, BEGIN_NS + 2 * SECOND + 1, SECOND // 2))
    ]
    written: Path = episodes.write(tmp_path / "bag", sorted([*words, *shown], key=lambda one: one[1]))
    return written


def contents(path: Path) -> list[tuple[str, float]]:
    """Topic and arrival of every message, in seconds from the first of the whole bag."""
    with open_bag(path) as reader:
        return [(connection.topic, (t - BEGIN_NS) / SECOND) for connection, t, _ in reader.messages()]


def test_both_ends_of_the_span_are_kept_and_nothing_beyond(bag: Path, tmp_path: Path) -> None:
    assert trim_bag(bag, tmp_path / "cut", 0.5, 1.5) == 5
    kept = contents(tmp_path / "cut")
    assert [t for topic, t in kept if topic == CAMERA] == [0.5, 1.0, 1.5]
    assert [t for topic, t in kept if topic == WORDS] == [0.5, 0.5], "those of before, and those that came just then"
    trim_bag(bag, tmp_path / "inside", 0.5 + 1e-9, 1.5 - 1e-9)
    assert [t for topic, t in contents(tmp_path / "inside") if topic == CAMERA] == [1.0]


def test_one_image_at_an_end_of_the_span_is_enough(bag: Path, tmp_path: Path) -> None:
    for name, begin_s, end_s, at_s in (("begin", 2.0, 2.3, 2.0), ("end", 1.7, 2.0, 2.0)):
        trim_bag(bag, tmp_path / name, begin_s, end_s)
        assert [t for topic, t in contents(tmp_path / name) if topic == CAMERA] == [at_s]


def test_what_was_true_before_is_said_once_at_the_beginning(bag: Path, tmp_path: Path) -> None:
    trim_bag(bag, tmp_path / "cut", 0.9, 2.0)
    assert contents(tmp_path / "cut") == [(WORDS, 0.9), (CAMERA, 1.0), (CAMERA, 1.5), (CAMERA, 2.0)]
    assert read_streams(tmp_path / "cut").instruction == "Wave."


def test_all_of_a_bag_can_be_kept(bag: Path, tmp_path: Path) -> None:
    trim_bag(bag, tmp_path / "cut", 0.0, 2.0)
    assert contents(tmp_path / "cut") == contents(bag)


def test_the_bag_says_what_was_cut(bag: Path, tmp_path: Path) -> None:
    trim_bag(bag, tmp_path / "cut", 0.5, 1.5)
    assert read_streams(tmp_path / "cut").about["trimmed"].endswith(": kept 0.500 s to 1.500 s of bag")


@pytest.mark.parametrize(("begin_s", "end_s"), [(1.0, 1.0), (0.6, 0.9), (2.1, 9.0)])
def test_a_span_without_an_image_is_refused_with_the_length_of_the_bag(
    bag: Path, tmp_path: Path, begin_s: float, end_s: float
) -> None:
    with pytest.raises(EmptyTrimError, match=f"from {begin_s:.2f} s to {end_s:.2f} s nothing is left of its 2.00 s"):
        trim_bag(bag, tmp_path / "cut", begin_s, end_s)
    assert not (tmp_path / "cut").exists()


def test_a_bag_without_a_camera_leaves_nothing(episodes: Any, tmp_path: Path) -> None:
    words = episodes.make("std_msgs/msg/String", data="Wave.")
    bag = episodes.write(tmp_path / "bag", [(WORDS, BEGIN_NS + n * SECOND, words) for n in range(3)])
    with pytest.raises(EmptyTrimError):
        trim_bag(bag, tmp_path / "cut", 0.0, 2.0)


@pytest.mark.parametrize(
    ("span", "named"),
    [
        (["--begin-s", "-5"], r"--begin-s is -5.0; it must be at least 0 and less than 2.00, the length of"),
        (["--begin-s", "2.5"], r"--begin-s is 2.5; it must be at least 0 and less than 2.00"),
        (["--end-s", "9"], r"--end-s is 9.0; it must be greater than --begin-s 0 and at most 2.00"),
        (["--begin-s", "1.5", "--end-s", "1.5"], r"--end-s is 1.5; it must be greater than --begin-s 1.5"),
        (["--begin-s", "1.5", "--end-s", "1.0"], r"--end-s is 1.0; it must be greater than --begin-s 1.5"),
        (["--end-s", "-1"], r"--end-s is -1.0"),
    ],
)
def test_a_span_outside_of_the_bag_is_refused_by_the_name_of_the_option(
    bag: Path, tmp_path: Path, span: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trim", str(bag), str(tmp_path / "cut"), *span]) == 2
    assert named in " ".join(capsys.readouterr().out.split())
    assert not (tmp_path / "cut").exists()


def test_the_length_that_a_check_prints_is_within_the_bag(bag: Path, tmp_path: Path) -> None:
    assert main(["trim", str(bag), str(tmp_path / "cut"), "--end-s", "2.004"]) == 0


def test_limits_below_zero_are_refused_by_name(bag: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(bag), "--idle-s", "-1"]) == 2
    assert "--idle-s is -1.0; it must be a number of at least 0" in " ".join(capsys.readouterr().out.split())


def test_a_cut_does_not_make_a_saved_bag_of_a_discarded_one(episodes: Any, tmp_path: Path) -> None:
    path = episodes.write(tmp_path / "bag", about=episodes.about | {"outcome": "discarded"})
    metadata = path / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("discarded", "saved"))
    with pytest.raises(ContradictoryBagError, match="'outcome' is 'saved' in metadata.yaml, 'discarded' in the rec"):
        trim_bag(path, tmp_path / "cut", 0.0, 2.0)
    assert not (tmp_path / "cut").exists()
