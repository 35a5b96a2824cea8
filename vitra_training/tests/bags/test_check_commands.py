"""Commands far from what is measured, or followed by nothing, are errors; lag, a grip and pauses are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_findings import SECOND, Messages, errors, findings, of_topic


def hand_commands(episodes: Any, messages: Messages, change: Any) -> Messages:
    """The episode with commands of the hand: what is measured, changed."""
    made = []
    for topic, t, message in messages:
        if topic == "/right_hand/joint_states":
            command = episodes.make(
                "vitra_msgs/msg/HandCommand", header=message.header, sequence=len(made), epoch=1,
                position_rad=change(np.array(message.position), len(made)), source=1,
            )  # fmt: skip
            made.append(("/right_hand/command", t, command))
    return sorted([*messages, *made], key=lambda message: message[1])


def test_an_arm_far_off_its_commands_does_not_follow_them(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(3.0)
    for message in of_topic(messages, "arm/command", from_s=1.0):
        message.position_rad = message.position_rad - 2.5
    found = errors(episodes.write(tmp_path / "bag", messages))
    assert len(found) == 1
    assert found[0].startswith(
        "error command: right_arm is up to 2.50 rad off its commands for 2.0 s in all, the first time at 1.0 s"
    )


def test_commands_that_leap_away_and_back_are_an_error(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(3.0)
    for number, message in enumerate(of_topic(messages, "arm/command")):
        if number // 10 % 4 == 0:
            message.position_rad = message.position_rad + 2.5
    assert (
        "right_arm is up to 2.50 rad off its commands for 1.0 s in all"
        in errors(episodes.write(tmp_path / "bag", messages))[0]
    )


def test_an_arm_that_the_executor_would_give_up_on_is_a_warning(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(3.0)
    for message in of_topic(messages, "arm/command", from_s=1.0):
        message.position_rad = message.position_rad - 0.3
    found = findings(episodes.write(tmp_path / "bag", messages))
    assert len(found) == 1
    assert found[0].startswith("warning command: right_arm is up to 0.30 rad off its commands")


def test_an_arm_that_never_moves_however_slow_its_commands_is_an_error(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(3.0)
    for message in of_topic(messages, "arm/joint_states"):
        message.position = np.full(7, 0.4)
    for number, message in enumerate(of_topic(messages, "arm/command")):
        message.position_rad = np.full(7, 0.4 + number * 0.0003)
    found = errors(episodes.write(tmp_path / "bag", messages))
    assert found == ["error command: right_arm never moves although it is commanded to"]


def test_an_arm_that_stands_while_its_commands_move_is_an_error(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(3.0)
    arm = of_topic(messages, "arm/joint_states")
    for message in arm:
        message.position = arm[0].position.copy()
    for message in of_topic(messages, "arm/command"):
        message.position_rad = arm[0].position + 0.6 * (message.position_rad - arm[0].position)
    found = errors(episodes.write(tmp_path / "bag", messages))
    assert any("right_arm stands still at " in one and "while it is commanded to move" in one for one in found)


@pytest.mark.parametrize("lag_s", [0.0, 0.15])
def test_an_arm_that_lags_behind_its_commands_follows_them(lag_s: float, episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(3.0)
    arm, commands = of_topic(messages, "arm/joint_states"), of_topic(messages, "arm/command")
    track = np.array([message.position for message in arm])
    for number, message in enumerate(commands):
        message.position_rad = track[min(number + round(lag_s * 200), len(track) - 1)]
    assert findings(episodes.write(tmp_path / "bag", messages)) == []


def test_commands_that_pause_while_nothing_is_commanded_are_no_finding(episodes: Any, tmp_path: Path) -> None:
    messages = hand_commands(episodes, episodes.messages(3.0, still_s=0.8), lambda q, n: q)
    kept = [m for m in messages if not m[0].endswith("/command") or m[1] - messages[0][1] < 2.6 * SECOND]
    assert findings(episodes.write(tmp_path / "bag", kept)) == []


@pytest.mark.parametrize("part", ["right_arm", "right_hand"])
def test_what_moves_without_its_commands_is_named_as_a_warning(part: str, episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(3.0)
    for message in of_topic(messages, "hand/joint_states"):
        message.position *= 4
    messages = hand_commands(episodes, messages, lambda q, n: q + 0.05)
    kept = [m for m in messages if m[0] != f"/{part}/command" or m[1] - messages[0][1] < 1.5 * SECOND]
    (found,) = findings(episodes.write(tmp_path / "bag", kept))
    assert found.startswith(f"warning command: {part} moves for 1.")
    assert "s in all without its commands, the first time at 1.5 s: conversion takes what is measured" in found


def test_a_hand_that_an_object_holds_open_is_no_finding(episodes: Any, tmp_path: Path) -> None:
    messages = hand_commands(episodes, episodes.messages(3.0), lambda q, n: np.minimum(q + 0.01 * n, 1.9))
    assert findings(episodes.write(tmp_path / "bag", messages)) == []


def test_a_hand_further_off_than_any_object_can_hold_it_is_an_error(episodes: Any, tmp_path: Path) -> None:
    messages = hand_commands(episodes, episodes.messages(3.0), lambda q, n: q + 2.5)
    assert "right_hand is up to 2.50 rad off its commands" in errors(episodes.write(tmp_path / "bag", messages))[0]


def test_a_hand_that_never_moves_although_it_is_commanded_to_is_an_error(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(3.0)
    for message in of_topic(messages, "hand/joint_states"):
        message.position = np.full(12, 0.2)
    messages = hand_commands(episodes, messages, lambda q, n: q + 0.003 * n)
    found = errors(episodes.write(tmp_path / "bag", messages))
    assert found == ["error command: right_hand never moves although it is commanded to"]


def test_a_single_command_of_nan_is_an_error(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(3.0)
    of_topic(messages, "arm/command")[101].position_rad = np.full(7, np.nan)
    found = errors(episodes.write(tmp_path / "bag", messages))
    assert "error command: right_arm/command: NaN or infinity in 1 messages" in found


@pytest.mark.parametrize("off_s", [-3600, 3600])
def test_commands_of_another_clock_are_an_error_and_not_replaced_by_what_is_measured(
    episodes: Any, tmp_path: Path, off_s: int
) -> None:
    messages = episodes.messages(2.0)
    for message in of_topic(messages, "arm/command"):
        message.header.stamp.sec += off_s
    found = errors(episodes.write(tmp_path / "bag", messages))
    assert any("right_arm/command: no message is stamped shortly before an image" in one for one in found)


def test_an_arm_that_stands_does_not_hide_behind_short_gaps(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(6.0)
    begin, held = messages[0][1], None
    kept = []
    for topic, t, message in messages:
        if topic.endswith("arm/joint_states") and t - begin > 1.5 * SECOND:
            held = message.position if held is None else held
            message.position = held
            if (t - begin) % (SECOND * 9 // 10) < SECOND // 11:
                continue
        kept.append((topic, t, message))
    assert any("right_arm stands still" in one for one in errors(episodes.write(tmp_path / "bag", kept)))
