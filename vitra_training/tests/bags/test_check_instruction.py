"""Words that change in mid-episode, contradict the metadata or name a hand that takes no part are errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bag_findings import SECOND, errors, findings

RIGHT = "Left hand: None. Right hand: Wave."


def said(episodes: Any, *texts: tuple[float, str], seconds: float = 3.0) -> list[Any]:
    """An episode with these (time s, text) on the topic; the arm moves from 0.5 s on."""
    messages = [m for m in episodes.messages(seconds) if m[0] != "/instruction"]
    begin_ns = messages[0][1]
    for at_s, text in texts:
        message = episodes.make("std_msgs/msg/String", data=text)
        messages.append(("/instruction", begin_ns + round(at_s * SECOND), message))
    return sorted(messages, key=lambda message: message[1])


def about(episodes: Any, text: str) -> dict[str, str]:
    return {**episodes.about, "instruction": text}


def test_words_that_change_while_the_robot_moves_are_an_error_with_both_and_the_time(
    episodes: Any, tmp_path: Path
) -> None:
    path = episodes.write(tmp_path / "bag", said(episodes, (0.0, "Wave."), (1.5, "Pour.")), about(episodes, "Wave."))
    found = errors(path)
    assert len(found) == 1
    assert found[0].startswith("error instruction: it changes at 1.50 s from 'Wave.' to 'Pour.'")
    assert "trim" in found[0]


def test_words_for_the_next_episode_at_the_idle_end_are_an_error_too(episodes: Any, tmp_path: Path) -> None:
    messages = said(episodes, (0.0, "Wave."), (2.9, "Pour."))
    assert "it changes at 2.90 s" in errors(episodes.write(tmp_path / "bag", messages))[0]


@pytest.mark.parametrize("again", ["Wave.", "  wave ", RIGHT], ids=["same", "spaces", "prompt"])
def test_words_that_are_said_again_are_no_change(again: str, episodes: Any, tmp_path: Path) -> None:
    assert findings(episodes.write(tmp_path / "bag", said(episodes, (0.0, "Wave."), (1.5, again)))) == []


def test_words_may_be_set_anew_until_the_robot_moves(episodes: Any, tmp_path: Path) -> None:
    path = episodes.write(tmp_path / "bag", said(episodes, (0.0, "Pour."), (0.2, "Wave.")))
    assert findings(path) == []
    path = episodes.write(tmp_path / "other", said(episodes, (0.0, "Pour."), (0.2, "Wave.")), about(episodes, "Pour."))
    assert findings(path) == ["warning instruction: the metadata say 'Pour.', the topic says 'Wave.'"]


def test_metadata_that_say_something_else_than_the_topic_are_an_error(episodes: Any, tmp_path: Path) -> None:
    path = episodes.write(tmp_path / "bag", said(episodes, (0.0, "Wave.")), about(episodes, "Pour."))
    assert errors(path) == ["error instruction: the metadata say 'Pour.', the topic says 'Wave.'"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Left hand: Wave. Right hand: None.", "is for the left hand, which is not recorded with its arm"),
        ("Left hand: Wave. Right hand: Wave.", "is for the left hand, which is not recorded with its arm"),
        ("Left hand: None. Right hand: None.", "leaves both hands idle"),
    ],
)
def test_words_for_a_hand_that_is_not_recorded_or_for_none_are_an_error(
    text: str, words: str, episodes: Any, tmp_path: Path
) -> None:
    path = episodes.write(tmp_path / "bag", said(episodes, (0.0, text)), about(episodes, text))
    found = errors(path)
    assert len(found) == 1
    assert words in found[0]


def test_words_for_the_hand_that_takes_part_are_no_finding(episodes: Any, tmp_path: Path) -> None:
    assert findings(episodes.write(tmp_path / "bag", said(episodes, (0.0, RIGHT)), about(episodes, RIGHT))) == []


@pytest.mark.parametrize(("text", "bad"), [("Left hand: Wave. Right hand: None.", True), (RIGHT, False)])
def test_words_for_a_hand_that_stands_while_the_other_moves_are_an_error(
    text: str, bad: bool, episodes: Any, tmp_path: Path
) -> None:
    messages = said(episodes, (0.0, text))
    begin_ns, still = messages[0][1], []
    for topic, t, message in messages:
        if topic.startswith("/right_") and topic.endswith("joint_states"):
            names = [name.replace("right", "left") for name in message.name]
            joints = episodes.joints(t - SECOND // 1000 if t > begin_ns else t, names, 0 * message.position + 0.2)
            still.append((topic.replace("right", "left"), t, joints))
    path = episodes.write(tmp_path / "bag", sorted([*messages, *still], key=lambda m: m[1]), about(episodes, text))
    found = errors(path)
    assert bad == bool(found)
    assert not bad or "but only the right arm or hand moves" in found[0]


def test_words_of_no_clear_hand_are_named_and_refuse_nothing(episodes: Any, tmp_path: Path) -> None:
    text = "Right hand: Wave."
    path = episodes.write(tmp_path / "bag", said(episodes, (0.0, text)), about(episodes, text))
    assert errors(path) == []
    assert "warning instruction: Instruction" in findings(path)[0]
