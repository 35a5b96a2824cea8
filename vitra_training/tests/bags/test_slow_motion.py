"""Slow motion counts by what it adds up to: it is no idle end, its hand moves, and words must not change after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_findings import SECOND, Messages, findings

from vitra_training.bags.check import check_bag
from vitra_training.bags.streams import read_streams
from vitra_training.cli_bag import main
from vitra_training.datasets.joint_motion import motion_span

ARM, FINGERS = np.linspace(0.1, 0.7, 7), np.full(12, 0.2)
ENCODERS = pytest.mark.parametrize(
    ("noise_rad", "step_rad"), [(0.0, 0.0), (0.003, 0.0), (0.0, 0.00175)], ids=["exact", "3 mrad", "0.1 deg"]
)
WORDS = "Left hand: None. Right hand: Insert the peg."
Path_rad = Callable[[float], float]


def turned(
    messages: Messages, arm_rad: Path_rad, hand_rad: Path_rad, noise_rad: float = 0.0, step_rad: float = 0.0
) -> Messages:
    """The right arm's first joint and the right fingers turn as said; the arm is commanded so."""
    rng, changed = np.random.default_rng(0), []
    for topic, t, message in messages:
        at_s = (t - messages[0][1]) / SECOND
        arm, hand = ARM + arm_rad(at_s) * (np.arange(7) == 0), FINGERS + hand_rad(at_s)
        if topic == "/right_arm/command":
            message = replace(message, position_rad=arm)
        elif topic.endswith("joint_states"):
            position = (arm if "arm" in topic else hand) + rng.normal(0.0, noise_rad, len(message.name))
            message = replace(message, position=np.round(position / step_rad) * step_rad if step_rad else position)
        changed.append((topic, t, message))
    return changed


def still(_: float) -> float:
    return 0.0


def slowly(rad_s: float, begin_s: float, end_s: float) -> Path_rad:
    return lambda at_s: rad_s * float(np.clip(at_s - begin_s, 0.0, end_s - begin_s))


def moved_left(messages: Messages) -> Messages:
    """A left arm that is moved away quickly, and its hand."""
    found = []
    for topic, t, message in messages:
        if topic.startswith("/right_") and topic.endswith("joint_states"):
            away = 0.3 * float(np.clip((t - messages[0][1]) / SECOND - 1.0, 0.0, 1.0))
            names = [name.replace("right", "left") for name in message.name]
            position = ARM + away if "arm" in topic else FINGERS
            found.append((topic.replace("right", "left"), t, replace(message, name=names, position=position)))
    return sorted([*messages, *found], key=lambda one: one[1])


@ENCODERS
def test_a_slow_insertion_at_the_end_is_no_idle_tail_and_is_not_cut_away(
    episodes: Any, tmp_path: Path, noise_rad: float, step_rad: float
) -> None:
    fast, insertion = slowly(0.4, 0.5, 1.5), slowly(0.012, 2.0, 5.0)
    messages = turned(episodes.messages(5.0), lambda at_s: fast(at_s) + insertion(at_s), still, noise_rad, step_rad)
    bag = episodes.write(tmp_path / "bag", messages)
    assert findings(bag) == []
    assert main(["trim", str(bag), str(tmp_path / "cut"), "--idle"]) == 0
    assert read_streams(tmp_path / "cut").end_s - read_streams(bag).begin_s > 4.5


@ENCODERS
@pytest.mark.parametrize(("arm_rad_s", "hand_rad_s"), [(0.008, 0.0), (0.0, 0.05)], ids=["arm", "fingers"])
def test_slow_motion_has_no_idle_ends(
    episodes: Any, tmp_path: Path, arm_rad_s: float, hand_rad_s: float, noise_rad: float, step_rad: float
) -> None:
    arm, hand = slowly(arm_rad_s, 0.3, 5.7), slowly(hand_rad_s, 0.3, 5.7)
    bag = episodes.write(tmp_path / "bag", turned(episodes.messages(6.0), arm, hand, noise_rad, step_rad))
    assert findings(bag) == []


@ENCODERS
def test_an_arm_that_rests_before_slow_motion_has_an_idle_head(
    episodes: Any, tmp_path: Path, noise_rad: float, step_rad: float
) -> None:
    messages = turned(episodes.messages(6.0), slowly(0.02, 3.0, 5.8), still, noise_rad, step_rad)
    report = check_bag(episodes.write(tmp_path / "bag", messages))[0]
    assert [finding.check for finding in report.findings] == ["idle head"]
    assert report.idle_head_s == pytest.approx(3.2, abs=0.2)


@ENCODERS
@pytest.mark.parametrize(("arm_rad_s", "hand_rad_s"), [(0.012, 0.0), (0.0, 0.08)], ids=["arm", "fingers"])
def test_words_for_a_hand_that_moves_slowly_are_no_error(
    episodes: Any, tmp_path: Path, arm_rad_s: float, hand_rad_s: float, noise_rad: float, step_rad: float
) -> None:
    arm, hand = slowly(arm_rad_s, 0.3, 4.7), slowly(hand_rad_s, 0.3, 4.7)
    messages = moved_left(turned(episodes.messages(5.0), arm, hand, noise_rad, step_rad))
    messages = [(t, a, replace(m, data=WORDS)) if t == "/instruction" else (t, a, m) for t, a, m in messages]
    assert findings(episodes.write(tmp_path / "bag", messages, {**episodes.about, "instruction": WORDS})) == []


@ENCODERS
def test_words_that_change_after_slow_motion_are_an_error(
    episodes: Any, tmp_path: Path, noise_rad: float, step_rad: float
) -> None:
    slow, fast = slowly(0.012, 0.3, 2.5), slowly(0.3, 3.5, 4.5)
    messages = turned(episodes.messages(5.0), lambda at_s: slow(at_s) + fast(at_s), still, noise_rad, step_rad)
    again = ("/instruction", messages[0][1] + 3 * SECOND, episodes.make("std_msgs/msg/String", data="Pour."))
    found = findings(episodes.write(tmp_path / "bag", sorted([*messages, again], key=lambda one: one[1])))
    assert any(one.startswith("error instruction: it changes at 3.00 s") for one in found)


@pytest.mark.parametrize("rate_hz", [25, 200])
@pytest.mark.parametrize("noise_rad", [0.001, 0.003])
def test_a_joint_that_stands_for_minutes_never_moves_whatever_its_noise(rate_hz: int, noise_rad: float) -> None:
    stamps = np.arange(120 * rate_hz) / rate_hz
    positions = np.random.default_rng(0).normal(0.0, noise_rad, (len(stamps), 7))
    assert motion_span(stamps, positions, 0.004) is None


def test_a_joint_that_turns_just_enough_over_a_minute_moves_from_its_rest_to_its_rest() -> None:
    stamps = np.arange(60 * 50) / 50
    span = motion_span(stamps, 0.005 * stamps[:, None] / 60, 0.004)
    assert span is not None
    assert span == pytest.approx((12.0, 48.0), abs=0.5)
