"""Conversion of bags: what is taken, what is never overwritten, and how little memory it needs."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest
from rich.console import Console

from vitra_training import cli_bag
from vitra_training.bags.check import check_bag
from vitra_training.bags.check_plot import draw_check
from vitra_training.bags.episodes import BagEpisodes
from vitra_training.bags.errors import NobodyJudgedError
from vitra_training.bags.own_account import outcome_of
from vitra_training.bags.repair import repair_bag
from vitra_training.cli_bag import main
from vitra_training.datasets.convert import Format, convert_all
from vitra_training.datasets.errors import DiskError
from vitra_training.datasets.sources import open_source

ALL = (Format.TELEDATA, Format.CANONICAL, Format.LEROBOT)


def about_of(episodes: Any, **more: str) -> dict[str, str]:
    return {**{k: v for k, v in episodes.about.items() if k != "outcome"}, **more}


def test_only_what_an_operator_saved_is_converted_unless_asked_for(
    episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    messages = episodes.messages(2.0)
    episodes.write(tmp_path / "set/stopped", messages, about_of(episodes, outcome="unjudged", ended="it was stopped"))
    episodes.write(tmp_path / "set/silent", messages, about_of(episodes))
    with pytest.raises(NobodyJudgedError, match="no operator saved any of its 2 bags"):
        open_source(tmp_path / "set")
    assert len(open_source(tmp_path / "set/silent")) == 1, "one bag that is named is meant"
    episodes.write(tmp_path / "set/good", messages)
    source = open_source(tmp_path / "set")
    assert (source.ids, sorted(source.broken)) == (["good"], ["silent", "stopped"])
    one_format = ["--formats", "teledata"]
    assert main(["convert", str(tmp_path / "set"), str(tmp_path / "one"), *one_format]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "unjudged, no operator saved it (it was stopped); --unjudged takes it" in words
    assert [path.stem for path in (tmp_path / "one/teledata").glob("*.h5")] == ["good"]
    assert main(["convert", str(tmp_path / "set"), str(tmp_path / "all"), "--unjudged", *one_format]) == 0
    assert len(list((tmp_path / "all/teledata").glob("*.h5"))) == 3


def test_a_repaired_recording_is_judged_by_nobody(episodes: Any, tmp_path: Path) -> None:
    partial = tmp_path / "episode_1.partial"
    writer = episodes.begin(partial / "episode_1", about_of(episodes))
    episodes.add(writer, episodes.messages(2.0), every=100)
    file = partial / "episode_1/episode_1.mcap"
    flushed = file.read_bytes()
    writer.storage.abort()
    file.write_bytes(flushed)
    result = repair_bag(partial).result
    assert outcome_of(result) == "unjudged, no operator saved it (it was repaired)"
    assert main(["convert", str(tmp_path), str(tmp_path / "out")]) == 1
    assert not (tmp_path / "out").exists()


def test_teledata_of_earlier_is_never_overwritten(episodes: Any, tmp_path: Path) -> None:
    bag = episodes.write(tmp_path / "episode_1", episodes.messages(1.0))
    source, target = BagEpisodes(tmp_path, [bag]), {Format.TELEDATA: tmp_path / "out"}
    convert_all(source, target)
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    report = convert_all(source, target)[Format.TELEDATA]
    assert "exists already and is not overwritten" in report.failed["episode_1"]
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_nothing_is_written_into_a_bag(episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = str(episodes.write(tmp_path / "set/episode_1", episodes.messages(1.0)))
    before = sorted(Path(bag).iterdir())
    for arguments in (
        ["convert", bag, bag, "--unchecked"],
        ["convert", bag, f"{bag}/out", "--unchecked"],
        ["trim", bag, f"{bag}/inner"],
    ):
        assert main(arguments) == 2
        assert "nothing is written into a bag" in "".join(capsys.readouterr())
    assert sorted(Path(bag).iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["trim", "BAG", "OUT", "--begin-s", "nan"], "--begin-s is nan"),
        (["trim", "BAG", "OUT", "--end-s", "inf"], "--end-s is inf"),
        (["check", "BAG", "--skew-s", "nan"], "--skew-s is nan"),
        (["convert", "BAG", "OUT", "--formats"], "--formats is empty"),
    ],
)
def test_values_that_an_option_cannot_have_are_named(
    arguments: list[str], option: str, episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"BAG": str(episodes.write(tmp_path / "bag", episodes.messages(1.0))), "OUT": str(tmp_path / "out")}
    assert main([places.get(word, word) for word in arguments]) == 2
    assert option in "".join(capsys.readouterr())
    assert not (tmp_path / "out").exists()


def test_a_repair_of_what_is_no_bag_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["repair", str(tmp_path / "nowhere")]) == 2
    assert "no bag" in "".join(capsys.readouterr())


def test_a_robots_episodes_cannot_become_annotations_of_hands_and_it_says_so(
    episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = episodes.write(tmp_path / "episode_1", episodes.messages(1.0))
    assert main(["convert", str(bag), str(tmp_path / "out"), "--formats", "vitra1m", "--unchecked"]) == 2
    assert "bags hold a robot's episodes" in " ".join("".join(capsys.readouterr()).split())


def test_a_full_disk_leaves_nothing_half_done_that_blocks_the_next_run(
    episodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bag = episodes.write(tmp_path / "episode_1", episodes.messages(1.0))
    targets = {format: tmp_path / "out" / format.value for format in ALL}
    with monkeypatch.context() as patch:

        def refuse(*_: Any, **__: Any) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr("vitra_training.datasets.formats.lerobot_v3._write_tasks", refuse)
        with pytest.raises(DiskError, match="No space left on device"):
            convert_all(BagEpisodes(tmp_path, [bag]), targets)
    assert not targets[Format.LEROBOT].exists()
    for format in (Format.CANONICAL, Format.TELEDATA):  # those were complete
        assert list(targets[format].iterdir())
    report = convert_all(BagEpisodes(tmp_path, [bag]), {Format.LEROBOT: targets[Format.LEROBOT]})
    assert report[Format.LEROBOT].converted == 1


def test_memory_does_not_grow_with_the_images_of_an_episode(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(2.0)
    scenes = [np.roll(np.tile(np.arange(256, dtype=np.uint8), 4)[None, :, None], n, axis=1) for n in range(8)]
    decoded_bytes = 0
    for number, (topic, t, message) in enumerate(messages):
        if topic == "/head_camera/color/image_raw":
            image = np.broadcast_to(scenes[number % 8][:, :640], (480, 640, 3))
            data = cv2.imencode(".jpg", image)[1].reshape(-1)
            fields = {"header": message.header, "format": "rgb8; jpeg compressed bgr8", "data": data}
            messages[number] = (f"{topic}/compressed", t, episodes.make("sensor_msgs/msg/CompressedImage", **fields))
            decoded_bytes += image.size
    bag = episodes.write(tmp_path / "episode_1", messages)
    del messages
    targets = {format: tmp_path / "out" / format.value for format in ALL}
    convert_all(BagEpisodes(tmp_path, [bag]), {f: tmp_path / "warm" / f.value for f in ALL})  # imports and caches
    tracemalloc.start()
    reports = convert_all(BagEpisodes(tmp_path, [bag]), targets)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert all(report.frames == 60 for report in reports.values())
    assert decoded_bytes > 50e6
    assert peak_bytes < 20e6, "at most a few images at a time"


HALF_HOUR = """
import resource, sys
from vitra_training.cli_bag import main
code = main(["convert", sys.argv[1], sys.argv[2]])
print("MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
sys.exit(code)
"""


def test_a_conversion_of_which_nothing_comes_says_why(
    episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    messages = list(both_arms(episodes.messages(3.0)))
    number = next(n for n, message in enumerate(messages) if message[0] == "/tf_static")
    topic, t, tree = messages[number]
    known = [edge for edge in tree.transforms if edge.child_frame_id != "left_arm_base"]
    messages[number] = (topic, t, replace(tree, transforms=known))
    bag = episodes.write(tmp_path / "episode_1", messages)
    assert main(["convert", str(bag), str(tmp_path / "out")]) == 1
    assert "errorconversion:" in "".join("".join(capsys.readouterr()).split())
    assert main(["convert", str(bag), str(tmp_path / "out"), "--unchecked"]) == 2
    said = "".join("".join(capsys.readouterr()).split())  # however the terminal breaks the line
    assert "noepisodecouldbeconverted.episode_1:" in said
    assert "base_link->left_arm_base" in said


def both_arms(messages: list[tuple[str, int, Any]]) -> Iterator[tuple[str, int, Any]]:
    """What the right arm and hand say, said by the left ones too."""
    for topic, t, message in messages:
        yield topic, t, message
        if topic.startswith("/right_"):
            names = {"name": [n.replace("right", "left") for n in message.name]} if hasattr(message, "name") else {}
            yield topic.replace("right", "left"), t, replace(message, **names)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_half_an_hour_becomes_three_formats_within_500_megabytes(episodes: Any, tmp_path: Path) -> None:
    minutes, width, height = 30, 160, 120
    rng = np.random.default_rng(0)
    images = []
    for _ in range(60):
        noise = cv2.resize(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8), (width, height))
        images.append(cv2.imencode(".jpg", noise)[1].reshape(-1))
    piece = []
    for number, (topic, t, message) in enumerate(both_arms(episodes.messages(10.0))):
        kind = message.__msgtype__
        if topic.endswith("camera_info"):
            message.width, message.height = width, height
            message.k = np.array([100.0, 0, width / 2, 0, 100, height / 2, 0, 0, 1])
        if topic == "/head_camera/color/image_raw":
            topic, kind = f"{topic}/compressed", "sensor_msgs/msg/CompressedImage"
            message = episodes.make(kind, header=message.header, format="jpeg", data=images[number % 60])
        piece.append(
            (topic, kind, t, bytearray(episodes.types.serialize_cdr(message, kind)), hasattr(message, "header"))
        )
    with episodes.begin(tmp_path / "episode_1") as writer:
        connections: dict[str, Any] = {}
        for number in range(minutes * 6):
            for topic, kind, t, raw, has_stamp in piece:
                if number and not has_stamp:
                    continue
                if number:  # ten seconds later
                    raw[4:8] = (int.from_bytes(raw[4:8], "little") + 10).to_bytes(4, "little")
                if topic not in connections:
                    connections[topic] = writer.add_connection(topic, kind, typestore=episodes.types)
                writer.write(connections[topic], t + number * 10_000_000_000, bytes(raw))
    command = [sys.executable, "-c", HALF_HOUR, str(tmp_path / "episode_1"), str(tmp_path / "out")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=3400)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count(f"1 episodes, {minutes * 1800} frames") == 3
    print(run.stdout)
    assert float(run.stdout.split("MB")[-1]) < 500
    with h5py.File(tmp_path / "out/teledata/episode_1.h5") as file:
        assert file["mask/right_arm"][()].mean() > 0.99
        assert file["mask/left_arm"][()].mean() > 0.99


def test_lerobot_statistics_hold_the_quantiles_that_pi05_asks_for(episodes: Any, tmp_path: Path) -> None:
    bags = [episodes.write(tmp_path / f"episode_{n}", episodes.messages(1.0 + n)) for n in range(2)]
    source, out = BagEpisodes(tmp_path, bags), tmp_path / "out"
    convert_all(source, {Format.LEROBOT: out})
    stats = json.loads((out / "meta/stats.json").read_text())
    state = np.concatenate([
        np.concatenate([
            np.concatenate([part.arm_joint, part.hand_joint], axis=1)
            for part in (source.load(n).episode.sides[side] for side in ("left", "right"))
        ], axis=1)
        for n in range(2)
    ])  # fmt: skip
    for name, q in (("q01", 0.01), ("q10", 0.1), ("q50", 0.5), ("q90", 0.9), ("q99", 0.99)):
        np.testing.assert_allclose(stats["observation.state"][name], np.quantile(state, q, axis=0), atol=1e-5)
        assert np.shape(stats["observation.images.head_camera"][name]) == (3, 1, 1)
        assert np.shape(stats["action"][name]) == (38,)


def test_topics_keep_their_whole_names_on_a_narrow_terminal(
    episodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(cli_bag, "_console", Console(file=written, width=60))
    main(["check", str(episodes.write(tmp_path / "bag"))])
    text = "".join(line.split("  ")[0].strip() for line in written.getvalue().splitlines())
    for name in ("right_arm/joint_states", "right_hand/joint_states", "head_camera/color/image_raw"):
        assert name in text


def test_the_image_of_a_check_says_what_its_lines_are(
    episodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib.pyplot as plt

    figures: list[Any] = []
    monkeypatch.setattr(plt, "close", figures.append)
    report, bag = check_bag(episodes.write(tmp_path / "bag"))
    assert bag is not None
    draw_check(report, bag, tmp_path / "check.png")
    _, joints, skew = figures[0].axes
    assert [text.get_text() for text in joints.get_legend().get_texts()][:2] == ["right 1", "right 2"]
    assert "right_arm/joint_states" in [text.get_text() for text in skew.get_legend().get_texts()]
