"""What moves is told from what stands however noisy the encoders are: the same findings from 0 to 3 mrad of noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_findings import findings

from vitra_training.bags.check import check_bag
from vitra_training.cli_bag import main
from vitra_training.datasets.joint_motion import noise_rad

SECOND = 1_000_000_000
NOISES = pytest.mark.parametrize("noise_rad", [0.0, 0.0002, 0.001, 0.003])
WORDS = "Left hand: Wave. Right hand: None."


def noisy(messages: list[tuple[str, int, Any]], noise_rad: float, seed: int = 0) -> list[tuple[str, int, Any]]:
    rng = np.random.default_rng(seed)
    return [
        (topic, t, replace(m, position=m.position + rng.normal(0.0, noise_rad, len(m.position))))
        if topic.endswith("joint_states") else (topic, t, m)
        for topic, t, m in messages
    ]  # fmt: skip


def standing_left(messages: list[tuple[str, int, Any]]) -> list[tuple[str, int, Any]]:
    """A left arm and hand that stand where the right ones begin."""
    first: dict[str, Any] = {}
    found = []
    for topic, t, message in messages:
        if topic.startswith("/right_") and topic.endswith("joint_states"):
            names = [name.replace("right", "left") for name in message.name]
            start = first.setdefault(topic, message)
            found.append((topic.replace("right", "left"), t, replace(start, header=message.header, name=names)))
    return found


@NOISES
@pytest.mark.parametrize("seed", range(2))
def test_idle_ends_are_found_and_cut_whatever_the_noise(
    episodes: Any, tmp_path: Path, noise_rad: float, seed: int
) -> None:
    bag = episodes.write(tmp_path / "bag", noisy(episodes.messages(2.0, 2.0), noise_rad, seed))
    report = check_bag(bag)[0]
    assert [finding.check for finding in report.findings] == ["idle tail"]
    assert report.idle_head_s == pytest.approx(0.52, abs=0.1)
    assert report.idle_tail_s == pytest.approx(2.28, abs=0.07)
    assert main(["trim", str(bag), str(tmp_path / "cut"), "--idle"]) == 0
    assert findings(tmp_path / "cut") == []


@NOISES
def test_words_set_anew_before_anything_moves_are_no_error_whatever_the_noise(
    episodes: Any, tmp_path: Path, noise_rad: float
) -> None:
    messages = episodes.messages(2.0)
    begin_ns = messages[0][1]
    messages = [(t, a, replace(m, data="Rest.")) if t == "/instruction" else (t, a, m) for t, a, m in messages]
    again = ("/instruction", begin_ns + 3 * SECOND // 10, episodes.make("std_msgs/msg/String", data="Wave."))
    messages = sorted([*messages, again], key=lambda message: message[1])
    assert findings(episodes.write(tmp_path / "bag", noisy(messages, noise_rad))) == []


@NOISES
def test_a_hand_that_stands_while_words_name_it_is_an_error_whatever_the_noise(
    episodes: Any, tmp_path: Path, noise_rad: float
) -> None:
    messages = episodes.messages(2.0)
    messages = [(t, a, replace(m, data=WORDS)) if t == "/instruction" else (t, a, m) for t, a, m in messages]
    messages = sorted([*messages, *standing_left(messages)], key=lambda message: message[1])
    bag = episodes.write(tmp_path / "bag", noisy(messages, noise_rad), {**episodes.about, "instruction": WORDS})
    assert findings(bag) == [f"error instruction: '{WORDS}', but only the right arm or hand moves"]


@NOISES
def test_an_arm_that_stands_all_the_time_while_it_is_commanded_is_an_error_whatever_the_noise(
    episodes: Any, tmp_path: Path, noise_rad: float
) -> None:
    messages = episodes.messages(2.0)
    stands = next(m.position for topic, _, m in messages if topic == "/right_arm/joint_states")
    slow = [
        (t, a, replace(m, position=stands)) if t == "/right_arm/joint_states"
        else (t, a, replace(m, position_rad=stands + 0.08 * (a - messages[0][1]) / SECOND)) if t == "/right_arm/command"
        else (t, a, m)
        for t, a, m in messages
    ]  # fmt: skip
    found = findings(episodes.write(tmp_path / "bag", noisy(slow, noise_rad)))
    assert "error command: right_arm never moves although it is commanded to" in found


def test_the_noise_of_a_joint_is_estimated_though_it_moves() -> None:
    time_s = np.arange(0, 4, 0.005)
    path = 0.5 * np.sin(2.0 * time_s)
    for sigma in (0.0, 0.001, 0.002):
        found = noise_rad(path + np.random.default_rng(0).normal(0.0, sigma, len(path)))
        assert found == pytest.approx(sigma, rel=0.1, abs=5e-5)
