from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from vitra_training.bags.check import check_bag
from vitra_training.bags.find import find_bags
from vitra_training.bags.streams import declared_rates_hz, read_streams
from vitra_training.bags.trim import trim_bag
from vitra_training.cli_bag import main
from vitra_training.cli_data import main as vitra_data
from vitra_training.datasets.errors import BrokenFileError, DatasetError

CAMERA, ARM = "/head_camera/color/image_raw", "/right_arm/joint_states"
SECOND = 1_000_000_000


def findings(path: Path) -> dict[str, str]:
    return {finding.check: f"{finding.level}: {finding.message}" for finding in check_bag(path)[0].findings}


def test_a_good_episode_has_no_findings_and_true_figures(episodes: Any, tmp_path: Path) -> None:
    report, _ = check_bag(episodes.write(tmp_path / "bag"))
    assert (report.findings, report.ok, report.instruction) == ((), True, "Wave.")
    rates = {stream.topic: stream.rate_hz for stream in report.streams}
    assert rates["head_camera/color/image_raw"] == pytest.approx(30, rel=1e-3)
    assert rates["right_arm/joint_states"] == pytest.approx(200, rel=1e-3)
    assert report.skew["right_arm/joint_states"].max_s <= 0.0051
    assert report.idle_head_s == pytest.approx(0.7, abs=0.35)


def stamp(message: Any, ns: int) -> None:
    message.header.stamp.sec, message.header.stamp.nanosec = ns // SECOND, ns % SECOND


def drop_words(messages: list[Any]) -> list[Any]:
    return [m for m in messages if m[0] != "/instruction"]


def drop_camera(messages: list[Any]) -> list[Any]:
    return [m for m in messages if m[0] != CAMERA]


def drop_calibration(messages: list[Any]) -> list[Any]:
    return [m for m in messages if m[0] != "/tf_static"]


def halve_rate(messages: list[Any]) -> list[Any]:
    frames = [m for m in messages if m[0] == CAMERA]
    return [m for m in messages if m[0] != CAMERA] + frames[::2]


def make_gap(messages: list[Any]) -> list[Any]:
    begin = messages[0][1]
    return [m for m in messages if m[0] != ARM or not SECOND < m[1] - begin < 1.7 * SECOND]


def step_clock(messages: list[Any]) -> list[Any]:
    for topic, t, message in messages:
        if topic == ARM and t > messages[0][1] + 2 * SECOND:
            stamp(message, t + 2 * SECOND)
    return messages


def turn_back(messages: list[Any]) -> list[Any]:
    arm = [m for m in messages if m[0] == ARM]
    stamp(arm[100][2], arm[90][1])
    return messages


def jump(messages: list[Any]) -> list[Any]:
    [m for m in messages if m[0] == ARM][100][2].position[3] += 0.5
    return messages


def freeze(messages: list[Any]) -> list[Any]:
    frames = [m for m in messages if m[0] == CAMERA]
    for _, _, message in frames[30:60]:
        message.data = frames[30][2].data
    return messages


def lag(messages: list[Any]) -> list[Any]:
    for topic, t, message in messages:
        if topic == ARM:
            stamp(message, t + 100_000_000)
    return messages


@pytest.mark.parametrize(
    ("spoil", "check", "words"),
    [
        (drop_words, "instruction", "error: no instruction"),
        (drop_camera, "missing topic", "error: nothing on head_camera/color/image_raw"),
        (drop_calibration, "missing topic", "error: no /tf_static"),
        (halve_rate, "rate", "error: head_camera/color/image_raw: 15 Hz, declared 30 Hz"),
        (make_gap, "gap", "error: right_arm/joint_states: 0.70 s without a message"),
        (step_clock, "clock", "error: right_arm/joint_states: the clock steps by 2.00 s at 2.0"),
        (turn_back, "clock", "error: right_arm/joint_states: 1 stamps do not increase"),
        (jump, "joint jump", "error: right_arm/joint_states: 2 jumps, the first of 0.50 rad"),
        (freeze, "frozen image", "error: the same image for 1.0 s"),
    ],
)
def test_each_fault_is_found_and_named(episodes: Any, tmp_path: Path, spoil: Any, check: str, words: str) -> None:
    path = episodes.write(tmp_path / "bag", sorted(spoil(episodes.messages()), key=lambda m: m[1]))
    report, _ = check_bag(path)
    assert words in {finding.check: f"{finding.level}: {finding.message}" for finding in report.findings}[check]
    assert not report.ok


def test_idle_ends_are_a_warning_that_trimming_cures(episodes: Any, tmp_path: Path) -> None:
    path = episodes.write(tmp_path / "episode_000001", episodes.messages(4.0, still_s=2.5))
    assert "warning: nothing moves for " in findings(path)["idle tail"]
    assert main(["trim", str(path), str(tmp_path / "cut"), "--idle"]) == 0
    assert "idle tail" not in findings(tmp_path / "cut")
    bag = read_streams(tmp_path / "cut")
    assert (bag.instruction, "trimmed" in bag.about, "tf_static" in bag.streams) == ("Wave.", True, True)
    assert main(["trim", str(path), str(tmp_path / "cut")]) == 2, "nothing is overwritten"
    with pytest.raises(DatasetError, match="nothing is left"):
        trim_bag(path, tmp_path / "none", 50.0, 60.0)


@pytest.mark.parametrize(
    "words", [["check"], ["repair"], ["trim", "OUT"], ["convert", "OUT"]], ids=lambda words: words[0]
)
def test_where_no_bag_is_nothing_is_to_be_repaired(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *more = (str(tmp_path / "out") if word == "OUT" else word for word in words)
    assert main([command, str(tmp_path / "nowhere"), *more]) == 2
    said = "".join("".join(capsys.readouterr()).split("\n"))
    assert f"no bag, for {tmp_path}/nowhere does not exist. Expected a folder with metadata.yaml" in said
    (tmp_path / "empty").mkdir()
    assert main([command, str(tmp_path / "empty"), *more]) == 2
    said = "".join("".join(capsys.readouterr()).split("\n"))
    assert "no bag. Expected a folder with metadata.yaml" in said
    assert "vitra-bag repair" not in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "rates", ["[1, 2]", "{{", '{"/camera": "fast"}', '{"/camera": NaN}', '{"/camera": 0}', "[" * 100_000]
)
def test_declared_rates_that_are_none_are_named(tmp_path: Path, rates: str) -> None:
    with pytest.raises(BrokenFileError, match="its 'declared_rates_hz' are no rates"):
        declared_rates_hz(tmp_path, {"declared_rates_hz": rates})


def test_of_several_bags_the_one_to_cut_is_asked_for(
    episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (episodes.write(tmp_path / f"set/{name}", episodes.messages(0.5)) for name in "ab")
    assert main(["trim", str(tmp_path / "set"), str(tmp_path / "cut")]) == 2
    assert f"2 are in it. Name one of them: {one}, {other}" in " ".join("".join(capsys.readouterr()).split())


def test_joints_for_peoples_tools_are_not_judged_as_measured_ones(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(3.0)
    slow = [("/joint_states", t, copy.deepcopy(message)) for topic, t, message in messages if topic == ARM][::10]
    slow[20][2].header.stamp = slow[19][2].header.stamp
    judged = findings(episodes.write(tmp_path / "bag", sorted([*messages, *slow], key=lambda m: m[1])))
    assert judged == findings(episodes.write(tmp_path / "plain", episodes.messages(3.0)))


def test_trimming_keeps_latched_frames_once_though_their_padding_differs(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(2.0)
    begin_ns, frames, kind = messages[0][1], messages[0][2], "tf2_msgs/msg/TFMessage"
    raw = bytearray(episodes.types.serialize_cdr(frames, kind))
    name = frames.transforms[0].child_frame_id.encode() + b"\0"
    gap = raw.index(name) + len(name)
    assert raw[gap : gap + 1] == b"\0", "aligned to the numbers that follow"
    with episodes.begin(tmp_path / "bag") as writer:
        latched = writer.add_connection("/tf_static", kind, typestore=episodes.types)
        for number in range(3):
            raw[gap] = number
            writer.write(latched, begin_ns + number, bytes(raw))
        episodes.add(writer, messages[1:])
    trim_bag(tmp_path / "bag", tmp_path / "cut", 1.0, 2.0)
    assert len(read_streams(tmp_path / "bag").streams["tf_static"].arrivals_ns) == 3
    assert len(read_streams(tmp_path / "cut").streams["tf_static"].arrivals_ns) == 1


def test_discarded_cut_off_and_replaced_bags_are_no_episodes(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(1.0)
    for place in ("episode_1", "discarded/episode_2", "originals/episode_3", "episode_4.partial/episode_4"):
        episodes.write(tmp_path / "set" / place, messages)
    assert [path.name for path in find_bags(tmp_path / "set")] == ["episode_1"]
    assert [path.name for path in find_bags(tmp_path / "set/discarded")] == ["episode_2"]


def test_the_command_reports_draws_and_converts_only_good_episodes(
    episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    episodes.write(tmp_path / "set/episode_1")
    assert main(["check", str(tmp_path / "set")]) == 0
    episodes.write(tmp_path / "set/episode_2", drop_words(episodes.messages()))
    (tmp_path / "set/episode_3.partial").mkdir()
    out = ["--report", str(tmp_path / "report.json"), "--images", str(tmp_path / "images")]
    assert main(["check", str(tmp_path / "set"), *out]) == 1
    assert "3 episodes, 1 good, 2 bad" in capsys.readouterr().out
    assert [entry["ok"] for entry in json.loads((tmp_path / "report.json").read_text())] == [True, False, False]
    assert sorted(p.name for p in (tmp_path / "images").iterdir()) == ["episode_1.png", "episode_2.png"]
    assert main(["convert", str(tmp_path / "set"), str(tmp_path / "out")]) == 1, "two are left out that fail"
    text = capsys.readouterr().out
    assert text.count("1 episodes, 120 frames") == 3
    assert (tmp_path / "out/teledata/episode_1.h5").is_file()
    assert (tmp_path / "out/canonical/store.json").is_file()
    assert (tmp_path / "out/lerobot/meta/info.json").is_file()


def test_a_path_without_a_bag_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path)]) == 2
    assert "no bag" in " ".join(capsys.readouterr().out.split())


def test_a_report_that_cannot_be_written_is_one_line(
    episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = episodes.write(tmp_path / "bag", episodes.messages(0.5))
    (tmp_path / "file").touch()
    assert main(["check", str(bag), "--report", str(tmp_path / "file/report.json")]) == 2
    assert "Give another path" in " ".join(capsys.readouterr().out.split())


def test_a_rate_that_no_device_has_is_not_printed_as_one(
    episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    about = episodes.about | {"declared_rates_hz": json.dumps({"/right_arm/joint_states": 7.99e11})}
    main(["check", str(episodes.write(tmp_path / "bag", episodes.messages(1.0), about))])
    said = " ".join(capsys.readouterr().out.split())
    assert "7.99e+11" not in said.split("error rate")[0]
    assert "rate unknown" in said


@pytest.mark.parametrize("words", ["Move to [/home] pose.", "Put the cup [blue] on [/] the plate."])
def test_brackets_in_words_and_names_of_folders_are_printed_as_they_are(
    episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    messages = episodes.messages(2.0)
    next(m for topic, _, m in messages if topic == "/instruction").data = words
    about = episodes.about | {"instruction": words}
    bag = episodes.write(tmp_path / "[o]" / "bag", messages, about)
    assert main(["check", str(bag)]) == 0
    assert words in " ".join(capsys.readouterr().out.split())
    assert main(["convert", str(bag), str(tmp_path / "[x]" / "out"), "--formats", "teledata"]) == 0
    assert vitra_data(["inspect", str(tmp_path / "[x]" / "out" / "teledata")]) == 0
    assert words.split()[-1] in capsys.readouterr().out


def test_a_bag_that_lost_its_metadata_is_not_overlooked_in_a_folder(
    episodes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("good", "lost"):
        episodes.write(tmp_path / "set" / name, episodes.messages(2.0))
    (tmp_path / "set/lost/metadata.yaml").unlink()
    assert main(["check", str(tmp_path / "set")]) == 1
    assert "2 episodes, 1 good, 1 bad" in capsys.readouterr().out
