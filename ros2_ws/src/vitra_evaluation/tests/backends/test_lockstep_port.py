"""Trials in lockstep: what they leave behind, with and without a camera."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from vitra_bringup import bag_report
from vitra_evaluation.backends.lockstep_port import LockstepPort
from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.plan.schedule import draw_schedule
from vitra_evaluation.session.trial_record import keep_evidence
from vitra_policy.policies.policy import ActionChunk, Observation, PolicyMetadata


class Still:
    """A policy that stays where it is."""

    metadata = PolicyMetadata("still", needs_image=True)

    def infer(self, observation: Observation) -> ActionChunk:
        actions = np.tile(observation.state, (16, 1))
        for side in (0, 51):
            actions[:, side : side + 6] = 0.0
        return ActionChunk(actions, observation.hands, 1 / 30, "still", {})

    def reset(self) -> None:
        pass

    def warm_up(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.mark.parametrize("render", [True, False])
def test_a_lockstep_trial_has_a_video_where_its_camera_is_rendered(
    small_plan: Plan, tmp_path: Path, render: bool
) -> None:
    port = LockstepPort(Still(), 5.0, render)
    slot = draw_schedule(small_plan, "secret")[0].slots[0]
    port.reset(slot, small_plan)
    port.start(slot, small_plan, tmp_path)
    for _ in range(3):
        port.status()
    bag, image = port.finish(tmp_path), port.image()
    port.close()
    assert bag is not None
    kept = keep_evidence(tmp_path, bag, image, image, "trial 1")
    assert kept.problem == ""
    assert kept.measures["chunks"] == 3
    assert kept.measures["camera_hz"] is kept.measures["images_dropped"] is None, "it cannot lose any"
    assert (tmp_path / "video.mp4").exists() is (tmp_path / "first.jpg").exists() is render
    counts = {topic: count for topic, count in bag_report.topics(bag).items() if "camera" in topic}
    assert set(counts.values()) == ({4} if render else set()), "one for each answer, and the end"
    if render:
        with av.open(str(tmp_path / "video.mp4")) as video:
            frames = list(video.decode(video=0))
        assert len(frames) == 6, "three answers of 0.135 s at 10 Hz, and the end"
        assert np.ptp(frames[0].to_ndarray(format="rgb24")[:, :424]) > 100


def test_a_lockstep_trial_without_an_answer_has_an_empty_bag_with_a_camera_too(
    small_plan: Plan, tmp_path: Path
) -> None:
    port = LockstepPort(Still(), 5.0, render=False)
    slot = draw_schedule(small_plan, "secret")[0].slots[0]
    port.reset(slot, small_plan)
    assert port._observation is not None
    port._observation = replace(port._observation, image=np.zeros((24, 32, 3), np.uint8))
    port.start(slot, small_plan, tmp_path)
    assert keep_evidence(tmp_path, port.finish(tmp_path), None, None, "trial 1").problem == "the bag is empty"
    port.close()
