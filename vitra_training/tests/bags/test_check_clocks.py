"""Stamps of camera and joints that slowly run apart are found; late messages and a clock that is set by all are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_findings import SECOND, Messages, errors, findings, of_topic


def drift(messages: Messages, ending: str, by_s: float) -> None:
    """Stamps that run ahead (or behind) by so much over the episode."""
    begin_ns, end_ns = messages[0][1], messages[-1][1]
    for topic, t, message in messages:
        if topic.endswith(ending):
            stamp = message.header.stamp
            ns = stamp.sec * SECOND + stamp.nanosec + round(by_s * SECOND * (t - begin_ns) / (end_ns - begin_ns))
            stamp.sec, stamp.nanosec = divmod(ns, SECOND)


@pytest.mark.parametrize("by_s", [0.25, 0.3, -0.25])
@pytest.mark.parametrize("stream", ["color/image_raw", "arm/joint_states"])
def test_stamps_that_run_apart_over_an_episode_are_an_error(
    stream: str, by_s: float, episodes: Any, tmp_path: Path
) -> None:
    messages = episodes.messages(6.0)
    drift(messages, stream, by_s)
    found = errors(episodes.write(tmp_path / "bag", messages))
    assert any(
        one.startswith("error drift: the stamps of head_camera/color/image_raw and of right_arm") for one in found
    )


def test_one_clock_that_drifts_for_camera_and_joints_is_no_drift(episodes: Any, tmp_path: Path) -> None:
    messages = episodes.messages(6.0)
    for ending in ("image_raw", "camera_info", "arm/joint_states", "hand/joint_states", "command"):
        drift(messages, ending, -0.1)
    assert not any("drift" in one for one in findings(episodes.write(tmp_path / "bag", messages)))


def test_messages_that_are_late_one_by_one_are_no_drift(episodes: Any, tmp_path: Path) -> None:
    messages, rng = episodes.messages(6.0), np.random.default_rng(0)
    begin_ns = messages[0][1]
    late = []
    for topic, t, message in messages:
        busier = (t - begin_ns) / (6 * SECOND)  # the recorder gets busier towards the end
        arrival_ns = t + round(float(rng.exponential(0.03 * busier)) * SECOND) if t > begin_ns else t
        late.append((topic, arrival_ns, message))
    found = findings(episodes.write(tmp_path / "bag", sorted(late, key=lambda message: message[1])))
    assert not any("drift" in one for one in found)


@pytest.mark.parametrize("topic", ["right_arm/joint_states", "head_camera/color/image_raw"])
def test_what_is_stamped_after_it_arrived_is_of_another_clock(episodes: Any, tmp_path: Path, topic: str) -> None:
    messages = episodes.messages(2.0)
    for message in of_topic(messages, topic):
        ahead = message.header.stamp.sec * SECOND + message.header.stamp.nanosec + SECOND // 5
        message.header.stamp.sec, message.header.stamp.nanosec = ahead // SECOND, ahead % SECOND
    assert any(
        "stamped 0.20 s after its arrival" in found for found in errors(episodes.write(tmp_path / "bag", messages))
    )
